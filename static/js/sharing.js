// Mailroom among the apps that others share with: registers for it, and gives what was shared to the composer.
import { one } from "./page.js";

const CACHE = "shared";
const place = one("#composers")?.dataset.share;

if (place && "serviceWorker" in navigator) navigator.serviceWorker.register(`${place}worker.js`, { scope: place }).catch(() => {});

/** Takes what the worker kept, once. Null where nothing was shared. */
export async function takeShared() {
  if (!place || location.pathname !== place || !("caches" in window) || !(await caches.has(CACHE))) return null;
  const kept = await caches.open(CACHE);
  const words = await (await kept.match(`${place}?words`))?.json();
  const files = [];
  for (const request of await kept.keys()) {
    if (!new URL(request.url).searchParams.has("file")) continue;
    const answer = await kept.match(request);
    const name = decodeURIComponent(answer.headers.get("X-Name"));
    files.push(new File([await answer.blob()], name, { type: answer.headers.get("Content-Type") }));
  }
  await caches.delete(CACHE);
  return words ? { words, files } : null;
}
