/** The picture as it was read, and the colours of an explanation over it. */

import {inEveryLanguage, text} from './language.js';

const PLUS = [230, 110, 0]; // orange and blue: told apart by people who see few colours, too
const MINUS = [0, 110, 220];
const STRONGEST = 190; // of 255, how much a colour covers

export class Preview {
  constructor() {
    this.place = document.getElementById('preview');
    this.shown = document.getElementById('shown');
    this.overlay = document.getElementById('overlay');
    this.name = '';
    inEveryLanguage(() => this.#describe());
  }

  /** Show a picture: RGB of shape (height, width, 3), and what its file is called. */
  show({rgb, width, height}, name) {
    this.name = name;
    paint(this.shown, width, height, (pixels) => {
      for (let i = 0, p = 0; p < pixels.length; i += 3, p += 4) {
        pixels.set([rgb[i], rgb[i + 1], rgb[i + 2], 255], p);
      }
    });
    this.place.style.setProperty('--ratio', width / height);
    this.place.hidden = false;
    this.uncover();
  }

  /** Colour what the answer rests on; return the largest change of the probability. */
  cover({heat, width, height}) {
    const most = heat.reduce((found, value) => Math.max(found, Math.abs(value)), 0);
    paint(this.overlay, width, height, (pixels) => {
      heat.forEach((value, i) => {
        const alpha = most ? (Math.abs(value) / most) * STRONGEST : 0;
        pixels.set([...(value > 0 ? PLUS : MINUS), alpha], i * 4);
      });
    });
    this.overlay.hidden = false;
    this.#describe();
    return most;
  }

  uncover() {
    this.overlay.hidden = true;
    this.#describe();
  }

  forget() {
    this.place.hidden = true;
    this.uncover();
  }

  get isCovered() {
    return !this.overlay.hidden;
  }

  #describe() {
    const key = this.isCovered ? 'overlayOf' : 'previewOf';
    this.shown.setAttribute('aria-label', text(key, {name: this.name}));
  }
}

function paint(canvas, width, height, fill) {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  fill(image.data);
  canvas.getContext('2d').putImageData(image, 0, 0);
}
