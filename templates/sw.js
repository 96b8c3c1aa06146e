// Keeps the pick pages of one person for a device without a connection. Written by Django: `shell` changes with its files.

const SHELL = "shell-{{ version }}";
const ASSETS = {{ assets|safe }};
const OFFLINE = "{{ offline }}";
const PAGES = "pages";
const KEPT = /^\/f\/[^/]+\/(pick|runs)\/([0-9a-f-]{36}\/)?$/;
const SIGN_IN = "{{ sign_in }}";
const ANY = { ignoreVary: true }; // whose page it is, X-User says
const HASHED = /\.[0-9a-f]{12}\.\w+$/;

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll([...ASSETS, OFFLINE])));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("shell-") && name !== SHELL) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

// A page that was open before this worker began asks to be kept.
self.addEventListener("message", (event) => {
  if (event.data?.keep) event.waitUntil(fetchPage(event.data.keep, { credentials: "same-origin" }).catch(() => null));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (url.pathname.startsWith("{{ static }}")) event.respondWith(asset(request));
  else if (request.mode === "navigate") event.respondWith(page(request, url));
});

/** A file: one with its hash in its name never changes; the others are asked for as long as somebody answers. */
async function asset(request) {
  const { pathname } = new URL(request.url);
  const kept = await caches.match(request, ANY);
  if (kept && HASHED.test(pathname)) return kept;
  try {
    const response = await fetch(request);
    if (response.ok) (await caches.open(SHELL)).put(request, response.clone());
    return response;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

/** A page: from the server while there is one, else as it was kept, else one that says that there is no connection. */
async function page(request, url) {
  try {
    return await fetchPage(request);
  } catch (error) {
    return (await caches.match(url.pathname, ANY)) ?? (await caches.match(OFFLINE, ANY)) ?? Response.error();
  }
}

async function fetchPage(request, options) {
  const response = await fetch(request, options);
  const { pathname, search } = new URL(response.url || new URL(request.url ?? request, location));
  // The sign-in: whoever was here is gone, and so are the pages kept for that person.
  if (response.ok && pathname === SIGN_IN) await caches.delete(PAGES);
  if (response.ok && !response.redirected && !search && KEPT.test(pathname)) await keep(pathname, response.clone());
  return response;
}

async function keep(pathname, response) {
  const user = response.headers.get("X-User");
  let pages = await caches.open(PAGES);
  const one = (await pages.keys())[0];
  if (one && (await pages.match(one, ANY)).headers.get("X-User") !== user) {
    await caches.delete(PAGES);
    pages = await caches.open(PAGES);
  }
  await pages.put(pathname, response);
}
