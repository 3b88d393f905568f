/** The network, run by LiteRT.js in a worker, on one thread of the processor. */

import {loadAndCompile, loadLiteRt, Tensor} from '../vendor/litert.js';
import {personInputs} from './person.js';

const ROOT = new URL('..', import.meta.url);

/** Fetch a file of the kiosk; an error where it is not there. */
async function fetched(name) {
  const response = await fetch(new URL(name, ROOT));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}

export class Network {
  /** Load the model that lies beside the page. */
  static async load() {
    const description = await (await fetched('model.json')).json();
    const bytes = new Uint8Array(await (await fetched('model.tflite')).arrayBuffer());
    const wasm = new URL('vendor/wasm/', ROOT);
    // Else the wasm file would be looked for beside the worker.
    self.Module = {locateFile: (name) => new URL(name, wasm).href};
    await loadLiteRt(wasm.href);
    return new Network(description, await loadAndCompile(bytes, {accelerator: 'wasm'}));
  }

  constructor(description, model) {
    this.description = description;
    this.model = model;
  }

  /** @returns {[number, number]} Height and width of the image that it takes. */
  get size() {
    return this.description.inputs.image.slice(1, 3);
  }

  /**
   * Classify one image.
   *
   * @param {Uint8ClampedArray} rgb Of shape (height, width, 3).
   * @param {import('./person.js').Person} person
   * @returns {Promise<Float32Array>} A probability for each class.
   */
  async classify(rgb, person) {
    const {inputs, white} = this.description;
    const image = white === 255 ? Float32Array.from(rgb) : Float32Array.from(rgb, scaled);
    const given = {image, ...personInputs(person, this.description)};
    const tensors = {};
    for (const [name, values] of Object.entries(given)) {
      tensors[name] = new Tensor(values, inputs[name]);
    }
    let found = {};
    try {
      found = await this.model.run(tensors);
      return Float32Array.from(await found.probabilities.data());
    } finally {
      for (const tensor of [...Object.values(tensors), ...Object.values(found)]) tensor.delete();
    }

    function scaled(value) {
      return (value / 255) * white;
    }
  }
}
