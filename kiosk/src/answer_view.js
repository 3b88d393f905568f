/** The answer: a bar for each class, and what the network does not know. */

import {inEveryLanguage, number, percent, text, word} from './language.js';
import {uncertainty} from './uncertainty.js';

const element = (id) => document.getElementById(id);

export class AnswerView {
  #draw = () => {};

  constructor() {
    inEveryLanguage(() => this.#draw());
  }

  /** Say that there is no answer yet, and why: a key of the strings. */
  say(key) {
    this.#show(() => {
      element('summary').textContent = text(key);
    });
  }

  /** Say why there is none. */
  fail(reason, message) {
    this.#show(() => {
      element('fault').textContent = text(reason, {message});
    });
  }

  /** Show an answer as the worker gives it. */
  show(found, model) {
    this.#show(() => {
      const order = [...found.probabilities.keys()].sort(
        (a, b) => found.probabilities[b] - found.probabilities[a],
      );
      const rows = order.map((place) => [word(model.classes[place]), found.probabilities[place]]);
      const [[name, share]] = rows;
      element('summary').textContent = text('summary', {name, share: percent(share)});
      element('bars').replaceChildren(...rows.map(([label, value]) => bar(label, value)));
      this.#doubts(found, model);
    });
  }

  #doubts(found, model) {
    const {bits, share, level} = uncertainty(found.probabilities);
    const facts = {bits: number(bits, {maximumFractionDigits: 2}), share: percent(share)};
    element('entropy').textContent = text(level, facts);
    element('uncalibrated').hidden = model.calibrated;
    const said = found.warnings.map((key) => text(key));
    if (said.length) said.push(text('outOfRange'));
    element('warnings').replaceChildren(...said.map(item));
    const {read, network} = found.milliseconds;
    const times = {read: number(read, {maximumFractionDigits: 0}), network: number(network)};
    element('took').textContent = text('took', times);
    element('details').hidden = false;
  }

  #show(draw) {
    this.#draw = () => {
      element('fault').textContent = '';
      element('summary').textContent = '';
      element('bars').replaceChildren();
      element('details').hidden = true;
      draw();
    };
    this.#draw();
  }
}

function item(said) {
  const found = document.createElement('li');
  found.className = 'warning';
  found.textContent = said;
  return found;
}

function bar(label, share) {
  const found = document.createElement('li');
  const name = document.createElement('span');
  const value = document.createElement('span');
  const track = document.createElement('span');
  const fill = document.createElement('span');
  name.textContent = label;
  value.textContent = percent(share);
  value.className = 'share';
  track.className = 'track';
  track.setAttribute('aria-hidden', 'true');
  fill.style.width = `${share * 100}%`;
  track.append(fill);
  found.append(name, ' ', value, track);
  return found;
}
