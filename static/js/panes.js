// Opening a conversation beside its list, the way back, the list's width and the rail's shape.
import { all, onPhone, one, reading, rows } from "./page.js";

const root = document.documentElement;
const listUrl = () => one('#list-form [name="next"]')?.value ?? "/";

export function openThread(row) {
  one(".row-link", row).click();
}

export function backToList() {
  if (!reading()) return;
  show(null);
  history.pushState({ mailroom: true }, "", listUrl());
  const pane = one("#reading");
  shownThread = undefined;
  pane.replaceChildren(nothingOpen());
  for (const name of ["data-thread", "data-unread"]) pane.removeAttribute(name);
  pane.classList.add("nothing");
  const left = rows().find((row) => row.dataset.left !== undefined) ?? rows()[0];
  one(".row-link", left ?? document)?.focus({ preventScroll: true });
}

/** Brings what is open up to date, unless it is about to give way to the next: then it may not be there any more. */
export function refreshReading() {
  if (reading() && reading().dataset.leaving === undefined) htmx.trigger(document.body, "mailroom:reading");
}

// The addresses of frames and files end after an hour, so a pane that stays open gets new ones in time.
const FRESH_MS = 45 * 60_000;
let broughtAt = Date.now();
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id === "reading") broughtAt = Date.now();
});
setInterval(() => {
  if (Date.now() - broughtAt < FRESH_MS) return;
  broughtAt = Date.now(); // asked once, whatever comes of it
  refreshReading();
}, 60_000);

/** What the pane shows while nothing is open: as the page brought it, or from its template. */
const shownAtFirst = one("#reading.nothing > *")?.cloneNode(true);
const nothingOpen = () => shownAtFirst?.cloneNode(true) ?? one("#nothing-open").content.cloneNode(true);

/** Marks the row that is open; null for none. */
function show(thread) {
  for (const row of rows()) {
    const link = one(".row-link", row);
    if (link.getAttribute("aria-current")) row.dataset.left = "";
    else delete row.dataset.left;
    if (row.dataset.thread === thread) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const link = event.detail.elt.closest?.(".row-link");
  if (link) show(link.closest(".row").dataset.thread);
});

let shownThread = reading()?.dataset.thread;
document.addEventListener("htmx:afterSwap", (event) => {
  const link = event.detail.requestConfig?.elt?.closest?.(".row-link, [data-step]");
  if (event.detail.target?.id !== "reading" || !reading()) return;
  show(reading().dataset.thread);
  if (link && link.href !== location.href) history.pushState({ mailroom: true }, "", link.href);
  const opened = link || reading().dataset.thread !== shownThread;
  shownThread = reading().dataset.thread;
  if (!opened) return; // brought up to date where somebody reads or writes
  if (onPhone()) one(".conversation-subject")?.focus({ preventScroll: true });
  showNewest();
});

// Back and forward stay on the page while it is the same list.
addEventListener("popstate", () => {
  const list = new URL(listUrl(), location.href).pathname;
  if (location.pathname === list && reading()) {
    location.reload();
  } else if (one("#reading") && location.pathname.startsWith(list)) {
    htmx.ajax("GET", location.pathname, { target: "#reading", swap: "outerHTML" });
  } else {
    location.reload();
  }
});

document.addEventListener("click", (event) => {
  const back = event.target.closest?.(".toolbar .back");
  const step = event.target.closest?.("[data-step]");
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey);
  if (back && rows().length && plain) {
    event.preventDefault();
    backToList();
  }
  if (step && plain) {
    event.preventDefault();
    const row = neighbour(step.dataset.step === "older" ? 1 : -1);
    if (row) openThread(row);
    else htmx.ajax("GET", step.getAttribute("href"), { target: "#reading", swap: "outerHTML", source: step });
  }
});

/** The row beside the one that is open: what the list shows is newer than the addresses that the pane came with. */
function neighbour(by) {
  const list = rows();
  const at = list.findIndex((row) => row.dataset.thread === reading()?.dataset.thread);
  return at < 0 ? null : list[at + by];
}

/** The first unfolded message comes into view, unless it begins in view already. */
function showNewest() {
  const open = one(".message:has(> .fold[open])");
  const pane = one(".reading-scroll");
  if (!open || !pane) return;
  const depth = open.getBoundingClientRect().top - pane.getBoundingClientRect().top;
  if (depth > pane.clientHeight * 0.6) pane.scrollTop += depth - 8;
}
showNewest();

// Scroll of the list, kept for the way back through the browser's history.
const scroller = one("#list-scroll");
const place = () => `scroll:${new URL(listUrl(), location.href).pathname}`;
addEventListener("pagehide", () => scroller && sessionStorage.setItem(place(), String(scroller.scrollTop)));
if (scroller && performance.getEntriesByType("navigation")[0]?.type !== "navigate") scroller.scrollTop = Number(sessionStorage.getItem(place()) ?? 0);
one('#rows [aria-current="true"]')?.closest(".row").scrollIntoView({ block: "nearest" });

// The rail
const toggle = one("[data-rail-toggle]");
const showRail = () => toggle?.setAttribute("aria-pressed", String(root.dataset.rail === "icons"));
toggle?.addEventListener("click", () => {
  if (root.dataset.rail) delete root.dataset.rail;
  else root.dataset.rail = "icons";
  localStorage.setItem("rail", root.dataset.rail ?? "");
  showRail();
});
showRail();

const folded = () => JSON.parse(localStorage.getItem("folded-accounts") ?? "{}");
for (const account of all(".nav-account")) {
  const kept = folded()[account.dataset.account];
  if (kept !== undefined && !one("[aria-current]", account)) account.open = !kept;
  account.addEventListener("toggle", () => localStorage.setItem("folded-accounts", JSON.stringify({ ...folded(), [account.dataset.account]: !account.open })));
}

// The list's width
const resizer = one(".resizer");
const widest = 560;
const narrowest = 360;
function widen(pixels) {
  const width = Math.round(Math.min(widest, Math.max(narrowest, pixels)));
  root.style.setProperty("--list-chosen", `${width}px`);
  resizer.setAttribute("aria-valuenow", String(width));
  localStorage.setItem("list-width", String(width));
}
const width = () => one("#list").getBoundingClientRect().width;
const forward = () => (getComputedStyle(root).direction === "rtl" ? -1 : 1);
resizer?.addEventListener("pointerdown", (event) => {
  const from = event.clientX;
  const start = width();
  resizer.setPointerCapture(event.pointerId);
  resizer.classList.add("dragging");
  const drag = (move) => widen(start + (move.clientX - from) * forward());
  resizer.addEventListener("pointermove", drag);
  resizer.addEventListener("lostpointercapture", () => {
    resizer.removeEventListener("pointermove", drag);
    resizer.classList.remove("dragging");
  }, { once: true });
});
resizer?.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -16, ArrowRight: 16 }[event.key];
  if (by) widen(width() + by * forward());
});
resizer?.setAttribute("aria-valuenow", String(Math.round(one("#list")?.getBoundingClientRect().width ?? 416)));
