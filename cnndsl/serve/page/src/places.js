// Lines and columns of the checker, which count characters from 1 → offsets in the editor's text.

const BREAK = /\r\n|[\r\n\x85\u2028\u2029]/g;

export function lineStarts(text) {
  const starts = [0];
  for (const found of text.matchAll(BREAK)) starts.push(found.index + found[0].length);
  return starts;
}

function offset(text, starts, line, column) {
  if (line > starts.length) return text.length;
  let at = starts[line - 1];
  for (let left = column - 1; left > 0 && at < text.length && text[at] !== "\n"; left--) {
    at += text.codePointAt(at) > 0xffff ? 2 : 1;
  }
  return at;
}

// The stretch of a place, cut at the end of its first line.
export function stretch(text, starts, [line, column, endLine, endColumn]) {
  const from = offset(text, starts, line, column);
  const end = text.indexOf("\n", from);
  const lineEnd = end < 0 ? text.length : end;
  const to = endLine > line ? lineEnd : offset(text, starts, endLine, endColumn);
  return { from, to: Math.max(from, Math.min(to, lineEnd)) };
}
