// The buttons over the row under the pointer: one set for the whole list, which the style sheet fits to its row.
import { one } from "./page.js";

let bar = null;

document.addEventListener("pointerover", (event) => {
  const row = event.target.closest?.("#rows .row");
  if (!row || event.pointerType === "touch") return;
  bar ??= one("#row-actions").content.firstElementChild.cloneNode(true);
  if (bar.parentElement !== row) row.append(bar);
}, { passive: true });
