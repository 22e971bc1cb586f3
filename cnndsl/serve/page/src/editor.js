// The editor: CodeMirror for YAML, with the project's completion, help and diagnostics.

import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab, redo } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import {
  HighlightStyle,
  bracketMatching,
  foldGutter,
  foldKeymap,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  hoverTooltip,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { noteOf } from "./complete.js";

const colors = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--key)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: tags.string, color: "var(--string)" },
  { tag: tags.content, color: "var(--text)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--mark)" },
  { tag: [tags.labelName, tags.typeName, tags.keyword], color: "var(--string)" },
]);

function helpTooltip(help) {
  return hoverTooltip((view, pos) => {
    const found = help.about(view.state, pos);
    if (!found) return null;
    const create = () => {
      const dom = document.createElement("div");
      const title = document.createElement("strong");
      title.textContent = found.title;
      dom.className = "help";
      dom.append(title, noteOf(found.text));
      return { dom };
    };
    return { pos: found.from, end: found.to, create };
  });
}

const keys = (onSave) =>
  keymap.of([
    { key: "Mod-s", preventDefault: true, run: () => (onSave(), true) },
    { key: "Mod-Shift-z", run: redo },
    ...closeBracketsKeymap,
    ...defaultKeymap,
    ...searchKeymap,
    ...historyKeymap,
    ...foldKeymap,
    ...completionKeymap,
    ...lintKeymap,
    indentWithTab,
  ]);

// `on` has save(), changed() and moved(), which are called with the view.
export function makeEditor(parent, text, help, on) {
  const listener = EditorView.updateListener.of((update) => {
    if (update.docChanged) on.changed(update.view);
    if (update.docChanged || update.selectionSet) on.moved(update.view);
  });
  const extensions = [
    EditorView.cspNonce.of(document.querySelector("meta[name=nonce]").content),
    keys(on.save),
    lineNumbers(),
    foldGutter(),
    lintGutter(),
    history(),
    drawSelection(),
    highlightSpecialChars(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    bracketMatching(),
    closeBrackets(),
    search({ top: true }),
    indentUnit.of("  "),
    EditorState.tabSize.of(2),
    yaml(),
    syntaxHighlighting(colors),
    autocompletion({ override: [(context) => help.complete(context)], icons: true }),
    helpTooltip(help),
    EditorView.contentAttributes.of({ "aria-label": "Spec", spellcheck: "false" }),
    listener,
  ];
  return new EditorView({ state: EditorState.create({ doc: text, extensions }), parent });
}

// Puts another text in place of the editor's, changing only what differs.
export function replaceText(view, text) {
  const old = view.state.doc.toString();
  let from = 0;
  while (from < Math.min(old.length, text.length) && old[from] === text[from]) from++;
  let end = 0;
  const rest = Math.min(old.length, text.length) - from;
  while (end < rest && old[old.length - 1 - end] === text[text.length - 1 - end]) end++;
  const insert = text.slice(from, text.length - end);
  view.dispatch({ changes: { from, to: old.length - end, insert } });
}

// Goes to a place in the text, and shows it.
export function goTo(view, at, to = at) {
  view.dispatch({
    selection: { anchor: at, head: to },
    effects: EditorView.scrollIntoView(at, { y: "center" }),
  });
  view.focus();
}
