/**
 * The kiosk offline: its files are kept at the first load and answered from there; a request to
 * anywhere else fails. `BUILD` names the files, and changes with each of them.
 */

importScripts('build.js');

const {version, files, policy} = self.BUILD;
const CACHE = `kiosk-${version}`;
const ROOT = new URL('./', self.location.href);
const KNOWN = new Map([...files, ''].map((name) => [new URL(name, ROOT).href, name]));
const isLarge = (name) => name.endsWith('.wasm'); // kept when used: a browser uses one of them

self.addEventListener('install', (event) => {
  event.waitUntil(keep(files.filter((name) => !isLarge(name))).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  event.respondWith(answer(event.request));
});

async function keep(names) {
  const cache = await caches.open(CACHE);
  // Past the browser's own cache: else files of two builds could be mixed.
  await cache.addAll(names.map((name) => new Request(new URL(name, ROOT), {cache: 'reload'})));
}

async function forgetOthers() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith('kiosk-') && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function answer(request) {
  const name = KNOWN.get(request.url.split(/[?#]/)[0]);
  if (request.method !== 'GET' || name === undefined) return Response.error();
  const cache = await caches.open(CACHE);
  const place = new URL(name || 'index.html', ROOT);
  let found = await cache.match(place);
  if (!found) {
    found = await fetch(place);
    if (found.ok) await cache.put(place, found.clone());
  }
  return underPolicy(found);
}

/** A host may send no policy, and a worker does not take the page's: so every answer has it. */
function underPolicy(response) {
  const headers = new Headers(response.headers);
  headers.set('Content-Security-Policy', policy);
  const {status, statusText} = response;
  return new Response(response.body, {status, statusText, headers});
}
