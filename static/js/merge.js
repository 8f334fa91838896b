// hx-swap="merge": brings a region up to date in place. Elements with an id or data-key are recognised, so scroll,
// focus, ticked boxes and loaded frames stay. Rows older than the fetched page stay too: they came by "Older".
import { keepingFocus, key } from "./focus.js";
import { announce, counted, one } from "./page.js";

let come = []; // elements that a merge puts into the page
const OURS = new Set(["open", "style", "aria-current", "tabindex"]);

function mergeAttributes(old, fresh) {
  let asks = false; // for something else than before
  for (const { name, value } of [...fresh.attributes]) {
    if (OURS.has(name) || old.getAttribute(name) === value) continue;
    old.setAttribute(name, value);
    asks ||= name.startsWith("hx-");
  }
  const gone = [...old.attributes].map(({ name }) => name).filter((name) => !OURS.has(name) && !fresh.hasAttribute(name));
  for (const name of gone) old.removeAttribute(name);
  // What no longer asks would go on, for a target it no longer names; and what is pressed before the region has settled
  // would ask for what stood there before.
  if (gone.includes("hx-trigger") || (asks && old.matches("form, button, a"))) htmx.process(old);
  if (old.matches("nav *") && old.getAttribute("aria-current") !== fresh.getAttribute("aria-current")) {
    if (fresh.hasAttribute("aria-current")) old.setAttribute("aria-current", fresh.getAttribute("aria-current"));
    else old.removeAttribute("aria-current");
  }
}

function alike(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && key(old) === key(fresh);
}

function merge(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.isEqualNode(fresh)) return;
  if (old.matches("iframe")) {
    // one that is folded away has loaded nothing yet: its address ends some time, the new one goes on
    if (!old.checkVisibility()) old.setAttribute("src", fresh.getAttribute("src"));
    return;
  }
  mergeAttributes(old, fresh);
  mergeChildren(old, fresh);
}

function mergeChildren(old, fresh) {
  const known = new Map([...old.children].filter(key).map((child) => [key(child), child]));
  const kept = old.matches(".rows") ? olderRows(old, fresh) : new Set();
  // what has gone goes first: whatever stands below it would have to be moved past it, and moving takes its focus away
  const wanted = new Set([...fresh.children].map(key));
  const reading = [...known.values()].find((child) => !wanted.has(key(child)) && beingRead(child));
  // it left a list of what is unread, so it was read, whatever an answer from before that may have said
  if (reading?.closest('#rows[hx-get*="filter=unread"]')) reading.classList.remove("unread");
  for (const [name, child] of known) if (!wanted.has(name) && !kept.has(child) && child !== reading) child.remove();
  let cursor = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    if (reading && cursor === reading) cursor = cursor.nextSibling;
    if (kept.size && child.matches?.(".older")) continue;
    const match = key(child) ? known.get(key(child)) : null;
    if (match && match.nodeName === child.nodeName) {
      cursor = clearWay(cursor, match);
      if (match === cursor) cursor = cursor.nextSibling;
      else old.insertBefore(match, cursor);
      merge(match, child);
    } else if (cursor && !key(child) && alike(cursor, child)) {
      const next = cursor.nextSibling;
      merge(cursor, child);
      cursor = next;
    } else {
      old.insertBefore(child, cursor);
      if (child.nodeType === Node.ELEMENT_NODE) come.push(child);
    }
  }
  while (cursor) {
    const next = cursor.nextSibling;
    if (!kept.has(cursor) && cursor !== reading && !cursor.matches?.(".row-actions")) cursor.remove();
    cursor = next;
  }
}

/**
 * Blank text left over from what has gone stands in the way of what followed it; before a message's frame nothing may
 * stand, since a frame that is moved loads anew.
 */
function clearWay(node, match) {
  const frame = match.matches("iframe") || match.querySelector("iframe");
  if (!node || !(node.compareDocumentPosition(match) & Node.DOCUMENT_POSITION_FOLLOWING)) return node;
  while (node !== match && (frame || (node.nodeType === Node.TEXT_NODE && !node.data.trim()))) {
    const next = node.nextSibling;
    if (key(node)) match.after(node);
    else node.remove();
    node = next;
  }
  return node;
}

/** In a list of what is unread, the conversation that is open stays in sight until another is opened. */
const beingRead = (row) => row.matches('#rows[hx-get*="filter="] .row:not(.leaving):has([aria-current="true"])');

/** What stands below the last row of the fetched page, headings and the "Older" line included. */
function olderRows(old, fresh) {
  const last = [...fresh.querySelectorAll(".row")].at(-1);
  if (!last || !fresh.querySelector(".older")) return new Set();
  const inFresh = new Set([...fresh.children].map(key));
  const limit = Number(last.dataset.when);
  const first = [...old.querySelectorAll(".row")].find((row) => Number(row.dataset.when) < limit && !inFresh.has(row.id));
  if (!first) return new Set();
  const kept = new Set();
  const heading = first.previousElementSibling;
  if (heading?.matches(".group") && !inFresh.has(key(heading))) kept.add(heading);
  for (let node = first; node; node = node.nextSibling) kept.add(node);
  return kept;
}

function announceNew(before) {
  const fresh = [...document.querySelectorAll("#rows .row.unread")].filter((row) => Number(row.dataset.when) > before);
  const place = one("#announce");
  if (fresh.length && place) announce(counted(place, fresh.length));
}

const newest = () => Math.max(0, ...[...document.querySelectorAll("#rows .row")].map((row) => Number(row.dataset.when)));

htmx.defineExtension("merge", {
  isInlineSwap: () => false,
  handleSwap(style, target, fragment) {
    if (style !== "merge") return false;
    if (!target.id) return [target]; // nothing in an answer is about it
    const same = fragment.id === target.id ? fragment : fragment.querySelector(`#${CSS.escape(target.id)}`);
    const fresh = same ?? fragment.firstElementChild;
    const before = newest();
    keepingFocus(target, () => merge(target, fresh));
    // now, not when the region has settled: what is pressed before that would leave the page
    for (const element of come.splice(0)) if (element.isConnected) htmx.process(element);
    if (target.id === "rows" && before) announceNew(before);
    return [target];
  },
});

// What asked may have been taken away by an earlier answer. This one would not be merged, since the extension is looked
// up around the asking element, but stand in the region as a second one of it.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const asked = detail.requestConfig.elt;
  if (!asked.isConnected && asked.getAttribute("hx-swap") === "merge") detail.shouldSwap = false;
});

// "Older" brings a heading that may stand there already.
document.addEventListener("htmx:afterSettle", () => {
  const seen = new Set();
  for (const heading of document.querySelectorAll("#rows .group")) {
    if (seen.has(heading.dataset.key)) heading.remove();
    seen.add(heading.dataset.key);
  }
});
