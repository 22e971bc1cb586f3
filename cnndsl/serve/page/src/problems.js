// The diagnostics: squiggles in the text, and the list below it.

import { forEachDiagnostic, setDiagnostics } from "@codemirror/lint";
import { EditorView } from "@codemirror/view";
import { goTo } from "./editor.js";
import { lineStarts, stretch } from "./places.js";
import { noteOf } from "./complete.js";

const MAX_FRAMES = 6;
const MAX_RELATED = 6;

export function showProblems(view, list, problems) {
  const text = view.state.doc.toString();
  const starts = lineStarts(text);
  const seen = cursorInSight(view);
  const marks = problems
    .filter((problem) => problem.place)
    .map((problem) => ({ ...stretch(text, starts, problem.place), ...markOf(problem) }));
  marks.sort((a, b) => a.from - b.from || a.to - b.to);
  view.dispatch(setDiagnostics(view.state, marks));
  list.hidden = !problems.length;
  const ordered = [...problems].sort((a, b) => lineOf(a) - lineOf(b));
  list.replaceChildren(...ordered.map((problem) => entry(view, problem)));
  const { head } = view.state.selection.main;
  // The list takes room from the editor, but not the line that is written.
  if (seen) view.dispatch({ effects: EditorView.scrollIntoView(head) });
}

const lineOf = (problem) => problem.place?.[0] ?? 0;

function cursorInSight(view) {
  const at = view.coordsAtPos(view.state.selection.main.head);
  const box = view.scrollDOM.getBoundingClientRect();
  return Boolean(at) && at.top >= box.top && at.bottom <= box.bottom;
}

function markOf(problem) {
  return {
    problem,
    severity: problem.severity,
    message: problem.message,
    renderMessage: () => content(problem),
  };
}

function content(problem) {
  const box = document.createElement("div");
  const code = document.createElement("span");
  code.className = "code";
  code.textContent = problem.code;
  const message = noteOf(problem.message);
  message.prepend(code, " ");
  box.append(message);
  if (problem.help) {
    const help = noteOf(problem.help);
    help.classList.add("remedy");
    box.append(help);
  }
  return box;
}

function entry(view, problem) {
  const row = document.createElement("button");
  row.type = "button";
  row.className = `problem ${problem.severity}`;
  const where = document.createElement("span");
  where.className = "where";
  const near = problem.here ? "" : `${problem.file}:`;
  where.textContent = `${near}${problem.line}:${problem.column}`;
  const said = content(problem);
  said.append(...problem.related.slice(0, MAX_RELATED).map((other) => relatedLine(view, other)));
  said.append(...problem.frames.slice(0, MAX_FRAMES).map((frame) => frameLine(view, frame)));
  row.append(where, said);
  row.disabled = !problem.place;
  row.addEventListener("click", () => goTo(view, ...whereNow(view, problem)));
  return row;
}

function frameLine(view, frame) {
  const where = frame.place ? `in line ${frame.place[0]}` : `at ${frame.at}`;
  const text = `in ${frame.text}, used ${where}`;
  return placeLine(view, text, frame.place, "Go to where it is used");
}

// Another place that a message is about, as "read here".
function relatedLine(view, other) {
  const words = other.message.replace(/ here$/, "");
  const file = other.place ? "" : `${other.file}:`;
  const text = `${words} at ${file}${other.line}:${other.column}`;
  return placeLine(view, text, other.place, "Go to this place");
}

function placeLine(view, text, place, title) {
  const line = document.createElement("div");
  line.className = "frame";
  line.textContent = text;
  if (place) {
    line.title = title;
    line.addEventListener("click", (event) => {
      event.stopPropagation();
      goToPlace(view, place);
    });
  }
  return line;
}

// Where the squiggle is by now: edits have moved it.
function whereNow(view, problem) {
  let found = null;
  forEachDiagnostic(view.state, (mark, from, to) => {
    if (mark.problem === problem) found = [from, to];
  });
  if (found) return found;
  const text = view.state.doc.toString();
  const { from, to } = stretch(text, lineStarts(text), problem.place);
  return [from, to];
}

export function goToPlace(view, place) {
  const text = view.state.doc.toString();
  const { from } = stretch(text, lineStarts(text), place);
  goTo(view, from);
}
