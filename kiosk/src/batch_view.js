/** Many pictures: what is chosen, how far it is, and the table at the end. */

import {classifyAll, header, readPeople} from './batch.js';
import {isPicture, pathOf, takeFiles} from './files.js';
import {inEveryLanguage, text} from './language.js';

const element = (id) => document.getElementById(id);

export class BatchView {
  #files = [];
  #people = new Map();
  #state = {};

  constructor(client, model) {
    this.client = client;
    this.model = model;
    element('table-button').hidden = element('table-hint').hidden = !model.encoder;
    takeFiles([element('folder'), element('files')], element('drop-many'), (files) => {
      this.#files = files.filter(isPicture).sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1));
      this.#set({chosen: this.#files.length});
    });
    element('table').addEventListener('change', () => this.#readTable());
    element('batch-start').addEventListener('click', () => this.#run());
    element('batch-cancel').addEventListener('click', () => this.controller?.abort());
    inEveryLanguage(() => this.#draw());
  }

  async #readTable() {
    const [file] = element('table').files;
    element('table').value = '';
    const people = file && readPeople(await file.text());
    if (people) this.#people = people;
    this.#set({rows: people?.size, fault: people ? '' : 'tableWithoutId'});
  }

  async #run() {
    const files = this.#files;
    this.controller = new AbortController();
    const lines = [header(this.model)];
    const given = {client: this.client, model: this.model, people: this.#people};
    const all = classifyAll(files, {...given, signal: this.controller.signal});
    let failed = 0;
    this.#set({running: true, done: 0, count: files.length, table: null});
    element('batch-cancel').focus();
    for await (const {line, isFailed} of all) {
      lines.push(line);
      failed += isFailed;
      this.#set({done: lines.length - 1});
    }
    const isWhole = lines.length - 1 === files.length;
    this.#set({running: false, failed, isWhole, table: new Blob(lines, {type: 'text/csv'})});
    element('batch-save').focus();
  }

  #set(change) {
    if ('table' in change) {
      if (this.address) URL.revokeObjectURL(this.address);
      this.address = change.table && URL.createObjectURL(change.table);
    }
    Object.assign(this.#state, change);
    this.#draw();
  }

  #draw() {
    const {chosen, rows, fault, running, done, count, failed, isWhole} = this.#state;
    const said = chosen === undefined ? [] : [text('chosen', {count: chosen})];
    if (rows !== undefined) said.push(text('tableRead', {count: rows}));
    element('batch-chosen').textContent = said.join(' ');
    element('batch-fault').textContent = fault ? text(fault) : '';
    element('batch-start').disabled = running || !chosen;
    element('batch-cancel').hidden = element('batch-progress').hidden = !running;
    element('batch-progress').max = count || 1;
    element('batch-progress').value = done ?? 0;
    element('batch-save').hidden = !this.address;
    if (this.address) element('batch-save').href = this.address;
    element('batch-state').textContent = this.#said(running, done, count, failed, isWhole);
  }

  #said(running, done, count, failed, isWhole) {
    // A screen reader would read out every picture.
    if (running) return done % 25 ? element('batch-state').textContent : text('batchAt', {done, count});
    if (!this.address) return '';
    const ending = text('batchDone', {done, count, failed});
    return isWhole ? ending : `${text('cancelled')} ${ending}`;
  }
}
