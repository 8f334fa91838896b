// Ticking conversations: one, a range with Shift, the page, everything.
import { all, checked, counted, one, rows } from "./page.js";

const form = one("#list-form");
const count = form && one(".bulk-count", form);
const page = form && one("[data-select-page]", form);
let anchor = null;

const box = (row) => one(".pick input", row);

export function toggle(row) {
  box(row).checked = !box(row).checked;
  anchor = row;
  show();
}

export function clearSelection() {
  if (!form) return;
  for (const input of all(".pick :checked, .bulk-all :checked", form)) input.checked = false;
  show();
}

function show() {
  const ticked = checked().length;
  const everything = one(".bulk-all input", form);
  if (!ticked && everything) everything.checked = false;
  if (ticked) count.textContent = counted(count, everything?.checked ? Number(everything.dataset.total) : ticked);
  page.checked = ticked > 0 && ticked === rows().length;
  page.indeterminate = ticked > 0 && ticked < rows().length;
}

form?.addEventListener("click", (event) => {
  const row = event.target.matches?.(".pick input") && event.target.closest(".row");
  if (!row) return;
  if (event.shiftKey && anchor?.isConnected) {
    const list = rows();
    const [from, to] = [list.indexOf(anchor), list.indexOf(row)].sort((a, b) => a - b);
    for (const each of list.slice(from, to + 1)) box(each).checked = event.target.checked;
  }
  anchor = row;
});
form?.addEventListener("change", (event) => {
  if (event.target === page) for (const row of rows()) box(row).checked = page.checked;
  show();
});
form?.addEventListener("reset", () => {
  anchor = null;
  setTimeout(show);
});
document.addEventListener("htmx:afterSettle", () => form && show());
