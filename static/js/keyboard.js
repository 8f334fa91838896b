// Single keys, g-chords and j/k over the list. Nothing fires while somebody types, or with Ctrl, Alt or Meta held.
import { perform } from "./actions.js";
import { openDialog } from "./dialogs.js";
import { focusedRow, one, openRow, reading, rows, typing } from "./page.js";
import { openPalette } from "./palette.js";
import { backToList, openThread } from "./panes.js";
import { clearSelection, toggle } from "./selection.js";
import { undoLatest } from "./toasts.js";

const CHORD_MS = 1500;
let chord = 0;

const press = (selector) => one(selector)?.click();
const message = (keys) => press(`#reading .quick-buttons [aria-keyshortcuts="${keys}"]`);
const goRole = (role) => press(`#nav details[open] [data-role="${role}"], #nav [data-role="${role}"]`);

const GO = {
  i: () => goRole("inbox"),
  s: () => press('#nav [data-go="s"]'),
  d: () => goRole("drafts"),
  t: () => goRole("sent"),
  a: () => press('#nav [data-go="a"]'),
  o: () => press('#nav [data-go="o"]'),
};

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  u: () => backToList(),
  x: () => focusedRow() && toggle(focusedRow()),
  s: () => perform("star"),
  e: () => perform("archive"),
  "#": () => perform("delete"),
  "!": () => perform("junk"),
  v: () => perform("move"),
  l: () => perform("label"),
  I: () => perform("read"),
  U: () => perform("unread"),
  r: () => message("r"),
  a: () => message("a"),
  f: () => message("f"),
  c: () => press(".compose"),
  z: () => undoLatest(),
  "/": () => one("#q")?.select(),
  "?": () => openDialog("shortcuts"),
  ".": () => (reading() ? press("#reading .toolbar .more-actions > summary") : openPalette()),
  g: () => (chord = Date.now()),
  Escape: () => clearSelection(),
};

function step(by) {
  const list = rows();
  if (!list.length) return;
  const at = list.indexOf(document.activeElement?.closest?.("#rows .row") ?? openRow());
  const next = list[at < 0 ? 0 : Math.min(list.length - 1, Math.max(0, at + by))];
  one(".row-link", next).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  if (reading()) openThread(next);
}

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
    if (event.target.isContentEditable) return;
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (typing(event.target)) {
    if (event.key === "Escape" && event.target.id === "q") event.target.blur();
    return;
  }
  if (one("dialog[open]") || one("details[data-menu][open]")) return;
  const inChord = Date.now() - chord < CHORD_MS;
  chord = 0;
  const action = (inChord && GO[event.key]) || KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
