// Server events: what changed is named, never sent; the regions fetch themselves again. Also the unread count outside.
import { one, words } from "./page.js";
import { refreshReading } from "./panes.js";
import { elsewhere, toast } from "./toasts.js";

const EVERY_MS = 700;
const waiting = new Map();

/** The first event of a kind is told at once, those within EVERY_MS after it together at their end. */
function soon(name, detail) {
  if (waiting.has(name)) {
    waiting.get(name).push(detail);
    return;
  }
  waiting.set(name, []);
  tell(name, [detail]);
  setTimeout(rest, EVERY_MS, name);
}

function rest(name) {
  const details = waiting.get(name);
  if (!details.length) return waiting.delete(name);
  waiting.set(name, []);
  tell(name, details);
  return setTimeout(rest, EVERY_MS, name);
}

function tell(name, details) {
  for (const detail of details) htmx.trigger(document.body, name, detail);
  if (name === "mailroom:mailbox" || name === "mailroom:account") htmx.trigger(document.body, "mailroom:refresh");
}

function connect(address) {
  const source = new EventSource(`${address}?since=${words().asked}`); // what happened since may stand in no region
  let dropped = false;
  const hear = (kind) => source.addEventListener(kind, (event) => soon(`mailroom:${kind}`, JSON.parse(event.data || "{}")));
  ["mailbox", "account", "outbox", "action", "cards"].forEach(hear);
  // somebody waits for this one
  source.addEventListener("message", (event) => htmx.trigger(document.body, "mailroom:message", JSON.parse(event.data || "{}")));
  // the server listens from now on: what happened before may have been missed
  source.addEventListener("again", () => {
    htmx.trigger(document.body, "mailroom:refresh");
    if (one('#reading [data-body="fetching"]')) refreshReading();
  });
  source.addEventListener("open", () => {
    if (dropped) htmx.trigger(document.body, "mailroom:refresh");
    dropped = false;
  });
  source.addEventListener("error", () => {
    dropped = true;
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect(address), 5000 + Math.random() * 5000);
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}

document.body.addEventListener("mailroom:message", (event) => {
  const waits = one(`#m-${CSS.escape(String(event.detail.id))}[data-body="fetching"]`);
  if (waits) refreshReading();
});

document.body.addEventListener("mailroom:action", ({ detail }) => elsewhere(detail.action, detail.undone));

// what became of a message, once it is known
const TROUBLE = new Set(["failed", "partial", "unknown"]);
document.body.addEventListener("mailroom:outbox", ({ detail }) => {
  const { sent, trouble, view, outbox } = words();
  const href = `${outbox}${detail.outgoing}/`;
  if (detail.state === "cancelled") elsewhere(href, true); // no Undo of what was taken back in another window
  if (detail.state === "sent") toast({ text: sent, href, label: view, seconds: 5 });
  if (TROUBLE.has(detail.state)) toast({ text: trouble, href, label: view });
});

const TITLE = /^\(\d+\+?\) /;

export function showUnread() {
  const count = Number(one("#nav")?.dataset.unread ?? 0);
  const title = document.title.replace(TITLE, "");
  const wanted = count ? `(${count > 999 ? "999+" : count}) ${title}` : title;
  if (document.title !== wanted) document.title = wanted;
  const favicon = one("#favicon");
  if (!favicon) return;
  favicon.dataset.plain ??= favicon.href;
  const href = count ? favicon.dataset.unread : favicon.dataset.plain;
  if (favicon.getAttribute("href") !== href) favicon.setAttribute("href", href);
}

document.addEventListener("htmx:afterSettle", showUnread);
document.addEventListener("htmx:oobAfterSwap", showUnread);
showUnread();
if (words().live) connect(words().live);
