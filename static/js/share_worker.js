// What another app shares with an installed Mailroom: kept on this device until the composer that opens takes it.
// Registered for the address of sharing alone; what the page that stands there asks for goes on as if this were not.
const CACHE = "shared";
const MOST_OCTETS = 100 * 2 ** 20;
const FIELDS = ["title", "text", "url"];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const shared = event.request.method === "POST" && event.request.url === self.registration.scope;
  if (shared) event.respondWith(take(event.request));
});

async function take(request) {
  const data = await request.formData();
  await caches.delete(CACHE); // what was shared before and never taken
  const kept = await caches.open(CACHE);
  const place = new URL(request.url).pathname;
  const said = Object.fromEntries(FIELDS.map((name) => [name, String(data.get(name) ?? "").slice(0, 100_000)]));
  await kept.put(`${place}?words`, Response.json(said));
  let octets = 0;
  for (const [index, file] of data.getAll("files").entries()) {
    if (!(file instanceof File) || !file.size) continue;
    octets += file.size;
    if (octets > MOST_OCTETS) break;
    const headers = { "Content-Type": file.type || "application/octet-stream", "X-Name": encodeURIComponent(file.name || "") };
    await kept.put(`${place}?file=${index}`, new Response(file, { headers }));
  }
  return Response.redirect(place, 303);
}
