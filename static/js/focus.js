// Where the keyboard stands when what it stood on is replaced: never back at the top of the page.

export const key = (node) => node.id || node.dataset?.key || "";

/**
 * Changes a region. If that takes the focused element away, the focus goes to its like, else to the nearest thing around
 * it that has a name and is still there. Not to the next control: a key pressed twice would set that one off.
 */
export function keepingFocus(region, change) {
  const around = within(region, document.activeElement);
  change();
  if (document.activeElement !== document.body) return;
  const stays = around.findIndex((node) => node.isConnected);
  for (const node of [...likes(around.slice(0, stays), around.slice(stays)), ...around.slice(stays)]) {
    if (node !== around[0] && !key(node)) continue;
    node.focus({ preventScroll: true });
    if (document.activeElement === node) return;
    node.tabIndex = -1;
    node.focus({ preventScroll: true });
    if (document.activeElement === node) return;
  }
}

/** The element and what stands around it, outwards, the region last; none for an element elsewhere. */
function within(region, element) {
  const found = [];
  for (let node = element; node && region.contains(node); node = node.parentElement) found.push(node);
  return found;
}

/** What has the names of those that are gone, in the nearest named place that is not. */
function likes(gone, left) {
  const home = left.find(key);
  const named = home ? [...home.querySelectorAll("[id], [data-key]")] : [];
  return gone.filter(key).map((node) => named.find((one) => key(one) === key(node))).filter(Boolean);
}
