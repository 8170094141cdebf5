// Keeps the page itself for offline use. The models are kept by the package, and what goes to a
// remote is never touched. The build fills in the version and the list.

const NAME = "smallfirst-demo-";
const CACHE = `${NAME}__VERSION__`;
const FILES = ["__FILES__"];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" }))))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    const others = (await caches.keys()).filter((name) => name.startsWith(NAME) && name !== CACHE);
    // A page that was opened before the update may still need parts of its own version; names come in the order of their making.
    for (const name of others.slice(0, -1)) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  self.tell(request);
  const scope = new URL(self.registration.scope);
  const url = new URL(request.url);
  if (url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const path = url.pathname.slice(scope.pathname.length);
  const failing = self.fault(path);
  if (failing) return event.respondWith(failing());
  if (request.method !== "GET") return;
  if (path.startsWith("models/") || path.startsWith("llm/")) return;
  // Hashed files never change; the page and demo.json may.
  event.respondWith(path.startsWith("assets/") ? cacheFirst(request) : networkFirst(request));
});

/** A hashed file of this version or the one before. What was not kept ahead, as the engine for ONNX, is kept once it was needed. */
async function cacheFirst(request) {
  for (const name of (await caches.keys()).filter((one) => one.startsWith(NAME))) {
    const kept = await caches.match(request, { cacheName: name });
    if (kept) return kept;
  }
  const response = await fetch(request);
  if (response.ok) {
    const copy = response.clone();
    const cache = await caches.open(CACHE);
    // A browser whose storage is full goes without.
    await cache.put(request, copy).catch(() => {});
  }
  return response;
}

async function networkFirst(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const cached = await caches.match(request, { cacheName: CACHE, ignoreSearch: true });
    if (cached) return cached;
    throw error;
  }
}
