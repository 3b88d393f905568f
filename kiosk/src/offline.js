/** The service worker, which keeps the kiosk for later, and lets no request leave its origin. */

const PATIENCE = 5000; // milliseconds

/**
 * Register it and wait until it stands between this page and the network, so that the network's
 * files are kept, too, and the worker gets the page's policy on any host.
 *
 * @returns {Promise<boolean>} Whether the kiosk will work offline; false where browsers forbid
 *   service workers: over plain HTTP elsewhere than on loopback, and in private windows of some.
 */
export async function keepForLater() {
  if (!('serviceWorker' in navigator)) return false;
  try {
    await navigator.serviceWorker.register('sw.js');
  } catch {
    return false;
  }
  if (navigator.serviceWorker.controller) return true;
  const controlled = new Promise((resolve) => {
    navigator.serviceWorker.addEventListener('controllerchange', () => resolve(true));
  });
  const tired = new Promise((resolve) => setTimeout(() => resolve(false), PATIENCE));
  return Promise.race([controlled, tired]);
}
