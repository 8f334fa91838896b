// One sentence at the bottom, with Undo while there is time. HX-Trigger: {"toast": {text, undo_url, seconds, href, label}}.
import { all, icon, one, words } from "./page.js";

const MOST = 2;

export function toast({ text, undo_url: undo, seconds = 10, href, label }) {
  const place = one("#toasts");
  if (!place || !text || (undo && shownFor(undo))) return;
  const box = document.createElement("div");
  box.className = "toast";
  box.setAttribute("role", "status");
  if (undo) box.dataset.undo = undo;
  const sentence = document.createElement("p");
  sentence.textContent = text;
  box.append(sentence);
  if (undo) box.append(undoButton(box, undo));
  if (href) box.append(Object.assign(document.createElement("a"), { href, textContent: label }));
  box.append(closeButton(box));
  while (place.children.length >= MOST) place.firstElementChild.remove();
  place.append(box);
  expire(box, seconds);
}

function undoButton(box, address) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "undo", textContent: words().undo });
  const key = Object.assign(document.createElement("span"), { className: "kbd", textContent: "Z" });
  key.setAttribute("aria-hidden", "true");
  button.append(key);
  button.addEventListener("click", async () => {
    box.remove();
    await htmx.ajax("POST", address, { target: "body", swap: "none" });
    htmx.trigger(document.body, "mailroom:refresh");
  });
  return button;
}

function closeButton(box) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "close" });
  button.setAttribute("aria-label", words().close);
  button.append(icon("x"));
  button.addEventListener("click", () => box.remove());
  return button;
}

/** The time runs only while nobody points at it or has focus in it. */
function expire(box, seconds) {
  let left = seconds * 1000;
  let since = 0;
  let timer = 0;
  const run = () => {
    since = Date.now();
    clearTimeout(timer);
    timer = setTimeout(() => box.remove(), left);
  };
  const pause = () => {
    clearTimeout(timer);
    left = Math.max(1500, left - (Date.now() - since));
  };
  for (const name of ["pointerenter", "focusin"]) box.addEventListener(name, pause);
  for (const name of ["pointerleave", "focusout"]) box.addEventListener(name, run);
  run();
}

/** The toast of one action, named in the address of its Undo; several pages of a person show the same. */
const shownFor = (name) => all("#toasts [data-undo]").find((box) => box.dataset.undo.includes(name));

/** What was done in another tab: offered here too, or taken from view once it was undone there. */
export function elsewhere(action, undone) {
  if (undone) shownFor(action)?.remove();
  else if (!shownFor(action)) htmx.ajax("GET", `${words().actions}${action}/`, { target: "body", swap: "none" });
}

export async function undoLatest() {
  const button = all("#toasts .undo").at(-1);
  if (button) return button.click();
  await htmx.ajax("POST", `${words().actions}newest/`, { target: "body", swap: "none" });
  htmx.trigger(document.body, "mailroom:refresh");
}

document.body.addEventListener("toast", (event) => toast(event.detail));
for (const name of ["htmx:responseError", "htmx:sendError"]) {
  document.body.addEventListener(name, (event) => {
    if (event.detail.requestConfig?.verb !== "get") {
      toast({ text: words().failed });
      htmx.trigger(document.body, "mailroom:refresh");
    }
  });
}
for (const box of all("#toasts .toast")) {
  box.append(closeButton(box));
  expire(box, Number(box.dataset.seconds ?? 10));
}
