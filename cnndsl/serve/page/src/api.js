// The server's answers, and the secret that it asks for.

// The secret is behind the `#` of the printed address. It moves from there into the memory of this
// tab, so that neither the address bar nor a bookmark keeps it.
const KEY = "token";

export function takeSecret() {
  const found = /^#token=([\w-]+)$/.exec(location.hash);
  if (!found) return false;
  sessionStorage.setItem(KEY, found[1]);
  history.replaceState(null, "", location.pathname);
  return true;
}

takeSecret();

const page = crypto.randomUUID(); // a newer check of this page ends the one before

// Nothing is sent once the server has ended: what listens at its port then may be another's.
let ended = false;
export const resume = () => (ended = false);

export class Failure extends Error {
  constructor(status, found) {
    super(found.error ?? `the server answers ${status}`);
    this.status = status;
    this.found = found;
  }
}

async function send(method, path, { body, headers = {}, signal } = {}) {
  if (ended) throw new Error("the server has ended");
  const response = await fetch(path, {
    method,
    signal,
    body: body && JSON.stringify(body),
    headers: {
      "content-type": "application/json",
      "x-token": sessionStorage.getItem(KEY) ?? "",
      ...headers,
    },
  });
  if (response.ok) return response;
  throw new Failure(response.status, await response.json().catch(() => ({})));
}

const asked = async (...request) => (await send(...request)).json();

export const readSpec = () => asked("GET", "/api/spec");
export const check = (body, signal) =>
  asked("POST", "/api/check", { body: { ...body, page }, signal });
export const readSchema = (text, signal) =>
  asked("POST", "/api/schema", { body: { text, page }, signal });
export const saveSpec = (text, version) =>
  asked("PUT", "/api/spec", { body: { text }, headers: { "if-match": `"${version}"` } });

// Calls `told` with the versions on disk, until there is no server any more.
export async function watchDisk(told) {
  try {
    await readEvents(await send("GET", "/api/changes"), told);
  } catch (error) {
    if (error.status) throw error;
  }
  ended = true;
}

async function readEvents(response, told) {
  const lines = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", part; !(part = await lines.read()).done; ) {
    const events = (rest + part.value).split("\n\n");
    rest = events.pop();
    for (const event of events) told(JSON.parse(event.replace(/^data: /, "")));
  }
}
