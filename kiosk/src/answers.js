/** What the worker does when the page asks: classify a file, or say what the answer rests on. */

import {measure, measuredSize, warnings} from './checks.js';
import {Network} from './network.js';
import {occlusion} from './occlusion.js';
import {decode} from './pixels.js';
import {Resizer} from './resize.js';

const PREVIEW = 720; // pixels, the long side of the picture that the page shows
const TASKS = {classify, explain};
const cancelled = new Set();
let last = null; // the picture that was shown last, as the network takes it

const network = Network.load();
network.then(
  ({description}) => postMessage({kind: 'ready', description}),
  (error) => postMessage({kind: 'broken', message: String(error)}),
);

self.onmessage = async ({data: {id, task, given}}) => {
  if (task === 'cancel') {
    cancelled.add(given.id);
    return;
  }
  try {
    postMessage({kind: 'done', id, found: await TASKS[task](await network, given, id)});
  } catch (error) {
    postMessage({kind: 'failed', id, reason: error.reason ?? 'broken', message: String(error)});
  }
  cancelled.delete(id);
};

/** Read a file once, a strip at a time, and classify it; with a preview where it is shown. */
async function classify(net, {file, person, isShown}) {
  const started = performance.now();
  const picture = await decode(file);
  const {width, height} = picture;
  const [rows, columns] = net.size;
  const taken = new Resizer(width, height, columns, rows);
  const measuring = measuredSize(width, height);
  const measured = new Resizer(width, height, ...measuring);
  const scale = Math.min(1, PREVIEW / Math.max(width, height));
  const shape = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const preview = isShown ? new Resizer(width, height, ...shape) : null;
  const readers = [taken, measured, preview].filter(Boolean);
  try {
    for (const strip of picture.strips()) for (const reader of readers) reader.push(strip);
  } finally {
    picture.close();
  }
  const rgb = taken.finish();
  const read = performance.now();
  const probabilities = await net.classify(rgb, person);
  const found = {
    probabilities,
    width,
    height,
    warnings: warnings(measure(measured.finish(), ...measuring), picture, net.size),
    milliseconds: {read: read - started, network: performance.now() - read},
  };
  if (!isShown) return found;
  last = {rgb, person};
  return {...found, preview: {rgb: preview.finish(), width: shape[0], height: shape[1]}};
}

/** Cover the shown picture a window at a time; null if that is cancelled. */
async function explain(net, {place}, id) {
  const {rgb, person} = last;
  const probability = async (covered) => (await net.classify(covered, person))[place];
  const heat = await occlusion(rgb, net.size, probability, async (share) => {
    postMessage({kind: 'progress', id, share});
    await new Promise((resolve) => setTimeout(resolve)); // so that a cancellation is heard
    return !cancelled.has(id);
  });
  return heat && {heat, height: net.size[0], width: net.size[1]};
}
