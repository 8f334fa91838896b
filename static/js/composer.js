// Opens composers: from links, from other behaviours, after a crash. What a composer does comes when the first opens.
import { all, one, words } from "./page.js";
import { takeShared } from "./sharing.js";
import { toast } from "./toasts.js";

const place = one("#composers");
const PREFIX = "unsaved:";
const WINDOWS = "composers";
const STALE_MS = 20_000;
const opening = new Set();

/** The composer as a window; what is written already goes on where it was. `shape`: "small", "full" or "". */
export async function openComposer(address, options = {}) {
  if (!place) return location.assign(address);
  if (opening.has(address)) return undefined;
  opening.add(address);
  try {
    return await fetchComposer(address, options);
  } finally {
    opening.delete(address);
  }
}

/** Returns undefined when there is no composer now. */
async function fetchComposer(address, { kept, shape = "", quiet = false }) {
  const url = new URL(address, location.href);
  const draft = url.searchParams.get("draft");
  const open = draft && one(`[data-composer]:has([name="draft"][value="${CSS.escape(draft)}"])`);
  if (open) return open.dispatchEvent(new CustomEvent("composer:show"));
  url.searchParams.set("window", "1");
  const [answer, { Composer }] = await Promise.all([
    fetch(url, { headers: { Accept: "text/html" } }).catch(() => null),
    import("./composer_window.js"),
  ]);
  if (answer && (!answer.ok || answer.redirected) && kept?.fields.draft) {
    // sent, discarded, or gone with its account: what was typed and not saved goes on as a new message
    const fields = { ...kept.fields, draft: "", original: "", revision: "", mode: "" };
    return fetchComposer(place.dataset.compose, { kept: { ...kept, fields }, shape, quiet });
  }
  if (kept && !answer?.ok) return undefined;
  if (!answer?.ok || answer.redirected) return answer ? location.assign(address) : toast({ text: words().failed });
  const box = new DOMParser().parseFromString(await answer.text(), "text/html"); // runs nothing, loads nothing
  for (const sheet of all("link", box)) {
    if (one(`link[href="${sheet.getAttribute("href")}"]`)) sheet.remove();
    else await styled(sheet);
  }
  const element = document.adoptNode(one("[data-composer]", box));
  if (shape) element.classList.add(shape);
  place.append(element);
  return new Composer(element, { kept, quiet });
}

/** Puts the stylesheet into the page and waits until it counts, so that nothing is seen unstyled. */
function styled(sheet) {
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: sheet.getAttribute("href") });
    link.onload = link.onerror = resolve;
    document.head.append(link);
    sheet.remove();
  });
}

/** Every link to the composer, drafts in a list included; before htmx would fetch them into the reading pane. */
function followed(event) {
  const compose = place?.dataset.compose;
  const link = compose && event.target.closest?.(`a[data-compose], a[href^="${compose}?"]`);
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (one("[data-composer].whole")) return;
  event.preventDefault();
  event.stopPropagation();
  link.closest("details[data-menu]")?.removeAttribute("open");
  openComposer(link.href);
}
document.addEventListener("click", followed, true);
document.body.addEventListener("mailroom:compose", (event) => openComposer(event.detail.url));

/** A page that is a composer gets its behaviour in place. */
async function enhance() {
  const element = one("[data-composer].whole");
  if (!element) return;
  const { Composer } = await import("./composer_window.js");
  const composer = new Composer(element, {});
  const shared = await takeShared().catch(() => null);
  if (shared) composer.takeUp(shared);
}

/** Fields for people outside of a composer. */
async function addressFields() {
  const fields = all("[data-people]:not([data-composer])");
  if (!fields.length) return;
  const { Recipients } = await import("./composer_people.js");
  for (const field of fields) {
    const people = new Recipients(field, { address: field.dataset.people, remove: field.dataset.remove, changed: () => {} });
    field.form.addEventListener("submit", () => people.settle());
  }
}
addressFields();

/** What a crash, a lost session or a closed tab left unsaved is offered again. */
function offerKept() {
  const owner = place?.dataset.person ?? "";
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(`${PREFIX}${owner}:`));
  for (const key of keys) {
    const kept = JSON.parse(localStorage.getItem(key));
    if (Date.now() - kept.at < STALE_MS) continue;
    localStorage.removeItem(key);
    const address = kept.fields.draft ? `${place.dataset.compose}?draft=${kept.fields.draft}` : place.dataset.compose;
    openComposer(address, { kept, shape: kept.shape, quiet: true }).then((made) => made || localStorage.setItem(key, JSON.stringify(kept)));
  }
}

/** Windows stay open from page to page; each is noted when its page goes. */
function reopen() {
  const noted = JSON.parse(sessionStorage.getItem(WINDOWS) ?? "[]");
  sessionStorage.removeItem(WINDOWS);
  if (one("[data-composer].whole")) return;
  for (const { draft, shape } of noted) openComposer(`${place.dataset.compose}?draft=${draft}`, { shape, quiet: true });
}
addEventListener("pageshow", (event) => event.persisted && sessionStorage.removeItem(WINDOWS));

/** "Sending" said by a page that is gone by now: the toast goes on here. */
function sentBefore() {
  const said = sessionStorage.getItem("sent");
  sessionStorage.removeItem("sent");
  if (said) document.body.dispatchEvent(new CustomEvent("mailroom:sent", { detail: JSON.parse(said) }));
}

document.body.addEventListener("mailroom:sent", async (event) => {
  const { sending } = await import("./composer_sending.js");
  sending(event.detail);
});

try {
  if (place) offerKept();
  if (place) reopen();
  sentBefore();
} catch {
  // storage refused or unreadable: nothing was kept
}
enhance();
