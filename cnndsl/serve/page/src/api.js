// The server's answers.

const token = document.querySelector("meta[name=token]").content;

export class Failure extends Error {
  constructor(status, found) {
    super(found.error ?? `the server answers ${status}`);
    this.status = status;
    this.found = found;
  }
}

async function answered(response) {
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Failure(response.status, found);
  return found;
}

const send = async (method, path, body, headers = {}) =>
  answered(
    await fetch(path, {
      method,
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", "x-token": token, ...headers },
    }),
  );

export const readSpec = async () => answered(await fetch("/api/spec"));
export const check = (body) => send("POST", "/api/check", body);
export const readSchema = (text) => send("POST", "/api/schema", { text });
export const saveSpec = (text, version) =>
  send("PUT", "/api/spec", { text }, { "if-match": `"${version}"` });

// Calls `told` with the versions on disk, and `lost` while there is no server.
export function watchDisk(told, lost) {
  const source = new EventSource("/api/changes");
  source.onmessage = (event) => told(JSON.parse(event.data));
  source.onerror = () => lost();
}
