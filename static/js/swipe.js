// On a touch screen a row swiped towards the end archives, towards the start deletes. Buttons do the same.
import { act } from "./actions.js";
import { icon, one, onPhone } from "./page.js";

const ENOUGH = 96;
let swipe = null;

function begin(event) {
  const row = event.target.closest?.("#rows .row");
  if (!row || event.pointerType !== "touch" || !onPhone()) return;
  swipe = { row, x: event.clientX, y: event.clientY, moving: false, dx: 0 };
}

function move(event) {
  if (!swipe) return;
  const dx = event.clientX - swipe.x;
  if (!swipe.moving) {
    if (Math.abs(event.clientY - swipe.y) > 12) return void (swipe = null);
    if (Math.abs(dx) < 14) return;
    swipe.moving = true;
  }
  swipe.dx = swipe.row.hasAttribute("data-draft") && meaning(dx) === "archive" ? 0 : dx; // a draft can only be deleted
  if (swipe.dx) dress(swipe.row, dx);
  else undress(swipe.row);
}

const forward = () => (getComputedStyle(document.documentElement).direction === "rtl" ? -1 : 1);
const meaning = (dx) => (dx * forward() > 0 ? "archive" : "delete");

function dress(row, dx) {
  const action = meaning(dx);
  row.classList.add("swiping");
  row.classList.toggle("to-delete", action === "delete");
  if (row.dataset.swipe !== action) {
    row.dataset.swipe = action;
    one(".swipe-word", row)?.remove();
    const word = document.createElement("span");
    word.className = "swipe-word";
    word.append(icon(action === "archive" ? "archive" : "trash", 18), one(`[data-do="${action}"]`, one("#row-actions").content).getAttribute("aria-label"));
    row.prepend(word);
  }
  one(".row-link", row).style.translate = `${dx}px`;
}

function undress(row) {
  row.classList.remove("swiping", "to-delete");
  delete row.dataset.swipe;
  one(".swipe-word", row)?.remove();
  one(".row-link", row).style.translate = "";
}

function end(event) {
  if (!swipe) return;
  const { row, dx, moving } = swipe;
  swipe = null;
  if (!moving) return;
  undress(row);
  row.addEventListener("click", (click) => click.preventDefault(), { once: true, capture: true });
  if (event.type === "pointerup" && Math.abs(dx) > ENOUGH) act(meaning(dx), { threads: [row.dataset.thread], mailbox: row.dataset.mailbox });
}

document.addEventListener("pointerdown", begin, { passive: true });
document.addEventListener("pointermove", move, { passive: true });
document.addEventListener("pointerup", end);
document.addEventListener("pointercancel", end);
