// Archive, delete, star, move, ...: shown at once, sent by htmx, undone by the toast. The forms do the same without.
import { checked, focusedRow, one, onPhone, openRow, reading, rows, words } from "./page.js";
import { backToList, openThread, refreshReading } from "./panes.js";
import { clearSelection } from "./selection.js";

const ON_MARKS = new Set(["star", "unstar", "label", "unlabel"]); // the open conversation shows them too
const LEAVES = new Set(["archive", "delete", "junk", "notjunk", "move", "empty"]);

/** Conversations that an action without further words is about: ticked ones, else the row with focus, else the open one. */
export function subject() {
  const ticked = checked();
  if (ticked.length) return { rows: ticked, all: Boolean(one('.bulk-all [name="scope"]')?.checked) };
  const row = reading() && !document.activeElement?.closest("#rows") ? openRow() : focusedRow();
  return { rows: row ? [row] : [], all: false };
}

export async function act(action, { threads, mailbox, to, keyword, name, everything = false, message, onwards } = {}) {
  const values = { action, mailbox: mailbox ?? one('#list-form [name="mailbox"]')?.value ?? "" };
  // a row says which mailbox it stands in: a list of several mailboxes must not move copies that lie elsewhere
  const places = (threads ?? []).map((id) => place(id, mailbox)).filter(Boolean);
  if (threads?.length && places.length === threads.length) values.place = places;
  else if (threads?.length) values.thread = threads;
  if (message) values.message = message;
  if (onwards) values.onwards = onwards;
  if (to) values.to = to;
  if (keyword) values[action] = keyword;
  if (name) values.new_label = name;
  if (everything) values.scope = "all";
  const touched = (threads ?? []).map((id) => document.getElementById(`t-${id}`)).filter(Boolean);
  if (LEAVES.has(action) && reading() && threads?.includes(reading().dataset.thread)) openNext(threads);
  show(action, everything ? rows() : touched);
  if (!["read", "unread"].includes(action) || checked().length) clearSelection();
  await htmx.ajax("POST", words().actions, { values, target: "body", swap: "none" });
  htmx.trigger(document.body, "mailroom:refresh");
  // what is open may name what has left as its neighbour
  if (LEAVES.has(action)) refreshReading();
}

function place(thread, mailbox) {
  const box = document.getElementById(`t-${thread}`)?.dataset.mailbox ?? mailbox;
  return box && `${box}-${thread}`;
}

/** After what was open has left: the next older conversation, on a phone the list. */
function openNext(leaving) {
  const list = rows();
  const at = list.indexOf(openRow());
  const stays = (row) => !leaving.includes(row.dataset.thread);
  const next = list.slice(at + 1).find(stays) ?? list.slice(0, Math.max(at, 0)).findLast(stays);
  if (!next || onPhone()) return backToList();
  reading().dataset.leaving = "";
  openThread(next);
}

function show(action, touched) {
  for (const row of touched) {
    if (LEAVES.has(action)) leave(row);
    if (action === "read") row.classList.remove("unread");
    if (action === "unread") row.classList.add("unread");
  }
}

function leave(row) {
  const focused = row.contains(document.activeElement);
  const list = rows();
  const neighbour = list[list.indexOf(row) + 1] ?? list[list.indexOf(row) - 1];
  row.classList.add("leaving");
  const gone = () => row.remove();
  row.addEventListener("animationend", gone, { once: true });
  setTimeout(gone, 250);
  if (focused) one(".row-link", neighbour ?? document.createElement("i"))?.focus({ preventScroll: true });
}

/** An action named by a key, the palette or a button, on whatever it is about. */
export async function perform(action) {
  const about = subject();
  const threads = about.rows.map((row) => row.dataset.thread);
  if (!threads.length && reading()) threads.push(reading().dataset.thread);
  if (!threads.length) return;
  const mailbox = about.rows[0]?.dataset.mailbox;
  if (action === "star" && (about.rows[0]?.hasAttribute("data-starred") || one('#reading [name="action"][value="unstar"]'))) action = "unstar";
  if (["move", "copy", "label"].includes(action)) {
    const mailboxes = about.rows.length ? about.rows.map((row) => row.dataset.mailbox) : [one('.toolbar [name="mailbox"]')?.value];
    const to = await new Promise((answer) => {
      document.dispatchEvent(new CustomEvent("mailroom:choose", { detail: { answer, label: action, mailboxes } }));
    });
    if (to) await act(action, { threads, mailbox, [action === "label" ? "keyword" : "to"]: to, everything: about.all });
  } else {
    await act(action, { threads, mailbox, everything: about.all });
  }
  if (ON_MARKS.has(action)) refreshReading();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-actions]") || !["action", "label", "unlabel"].includes(event.submitter?.name)) return;
  event.preventDefault();
  const data = new FormData(form);
  const keyword = event.submitter.name === "action" ? "" : event.submitter.value;
  const action = keyword ? event.submitter.name : event.submitter.value;
  const field = action === "label" && !keyword && one('[name="new_label"]', form);
  if (field && !field.value.trim()) return;
  (field || event.submitter).closest("details[data-menu]")?.removeAttribute("open");
  const first = checked()[0];
  if (action === "empty") {
    if (reading()) backToList();
    act(action, { mailbox: data.get("mailbox"), everything: true });
    return;
  }
  const mailbox = form.id === "list-form" ? first?.dataset.mailbox : data.get("mailbox");
  const threads = form.id === "list-form" ? checked().map((row) => row.dataset.thread) : data.getAll("thread");
  const name = field ? field.value : "";
  if (field) field.value = "";
  act(action, { threads, mailbox, keyword, name, to: data.get("to"), everything: data.get("scope") === "all" }).then(() => {
    if (ON_MARKS.has(action)) refreshReading();
    if (reading()?.contains(form) && action === "unread") backToList();
  });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-do]");
  if (!button || button.closest("#palette")) return;
  button.closest("details[data-menu]")?.removeAttribute("open");
  const row = button.closest(".row");
  if (row) act(button.dataset.do, { threads: [row.dataset.thread], mailbox: row.dataset.mailbox });
  else perform(button.dataset.do);
});

// Reading marks as read: a GET never changes mail, so the page says so itself.
export function markOpenedRead() {
  const pane = reading();
  if (!pane?.hasAttribute("data-unread")) return;
  pane.removeAttribute("data-unread");
  const row = document.getElementById(`t-${pane.dataset.thread}`);
  row?.classList.remove("unread");
  act("read", { threads: [pane.dataset.thread], mailbox: one('.toolbar [name="mailbox"]')?.value });
}
document.addEventListener("htmx:afterSettle", (event) => event.target.id === "reading" && markOpenedRead());
markOpenedRead();

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-print]")) print();
  if (event.target.closest?.("[data-hide-progress]")) document.documentElement.classList.add("hide-progress");
  if (event.target.closest?.("[data-refresh]")) {
    event.preventDefault();
    htmx.trigger(document.body, "mailroom:refresh");
  }
});
