/** On request: which parts of the picture the answer rests on. */

import {inEveryLanguage, number, text, word} from './language.js';

const LITTLE = 0.005; // of a probability
const element = (id) => document.getElementById(id);

export class Explanation {
  constructor(client, preview) {
    this.client = client;
    this.preview = preview;
    this.button = element('explain');
    this.stop = element('explain-cancel');
    this.progress = element('explain-progress');
    this.said = () => '';
    this.button.addEventListener('click', () => this.#toggle());
    this.stop.addEventListener('click', () => this.controller?.abort());
    inEveryLanguage(() => this.#draw());
  }

  /** Offer to explain an answer. */
  offer(found, model) {
    this.place = found.probabilities.indexOf(Math.max(...found.probabilities));
    this.name = model.classes[this.place];
    this.#draw();
  }

  /** There is no answer to explain any more. */
  forget() {
    this.controller?.abort();
    this.controller = null;
    this.preview.uncover();
    this.#say(() => '');
  }

  async #toggle() {
    if (this.preview.isCovered) {
      this.forget();
      return;
    }
    const controller = new AbortController();
    this.controller = controller;
    this.#busy(true);
    const how = {signal: controller.signal, onProgress: (share) => (this.progress.value = share)};
    try {
      const found = await this.client.ask('explain', {place: this.place}, how);
      if (this.controller === controller) this.#show(found);
    } catch (error) {
      if (this.controller === controller) this.#say(() => text('broken', error));
    }
    if (this.controller === controller || this.controller === null) this.#busy(false);
  }

  #show(found) {
    if (found === null) {
      this.#say(() => text('cancelled'));
      return;
    }
    const most = this.preview.cover(found);
    const key = most < LITTLE ? 'explainNothing' : 'explainHint';
    this.#say(() => text(key, {name: word(this.name), most: number(100 * most)}));
  }

  #busy(isBusy) {
    const hadFocus = [this.button, this.stop].includes(document.activeElement);
    this.button.hidden = isBusy;
    this.stop.hidden = this.progress.hidden = !isBusy;
    this.progress.value = 0;
    if (hadFocus) (isBusy ? this.stop : this.button).focus();
  }

  #say(said) {
    this.said = said;
    this.#draw();
  }

  #draw() {
    this.button.textContent = text(this.preview.isCovered ? 'hideOverlay' : 'explain');
    element('explained').textContent = this.said();
  }
}
