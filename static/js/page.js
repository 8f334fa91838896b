// What several behaviours ask about the page. No state is kept here: the document is the state.

export const one = (selector, inside = document) => inside.querySelector(selector);
export const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

/** Words and addresses that the server printed for scripts. */
export const words = () => one("#toast-words")?.dataset ?? {};

export const rows = () => all("#rows .row:not(.leaving)");
export const reading = () => one("#reading[data-thread]");
export const openRow = () => one('#rows .row:has([aria-current="true"])');
export const checked = () => all("#rows .row:has(.pick :checked)");
export const onPhone = () => matchMedia("(max-width: 719px)").matches;

/** The row that a key acts on: the one with focus, else the one that is open. */
export const focusedRow = () => document.activeElement?.closest?.("#rows .row") ?? openRow();

export const typing = (target) =>
  target.isContentEditable || (target.matches?.("input, textarea, select") && !target.matches("[type=checkbox], [type=radio]"));

export function icon(name, size = 16) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon icon-${size} i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${words().icons}#${name}`);
  svg.append(use);
  return svg;
}

export function announce(text) {
  const place = one("#announce");
  if (place) place.textContent = text;
}

/** "1 new message" or "%s new messages" from an element's data-one and data-many. */
export const counted = (element, count) =>
  count === 1 ? element.dataset.one : element.dataset.many.replace("%s", count.toLocaleString(document.documentElement.lang));
