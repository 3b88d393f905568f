/** Many pictures, one after the other, to lines of a table. */

import {csvLine, readCsv} from './csv.js';
import {pathOf} from './files.js';
import {unknownWords} from './person.js';
import {readAge} from './person_form.js';

const NOBODY = {age: null, sex: '', localization: ''};

/** What a picture is called in tables: its file's name without folder and suffix. */
function imageId(file) {
  return file.name.replace(/\.[^.]*$/, '');
}

/**
 * Read the people of pictures.
 *
 * @param {string} csv With `image_id` and any of age, sex, localization.
 * @returns {Map<string, object> | null} By `image_id`; null where there is no such column.
 */
export function readPeople(csv) {
  const rows = readCsv(csv);
  if (!rows.length || !('image_id' in rows[0])) return null;
  return new Map(rows.map((row) => [row.image_id, row]));
}

function personOf(row, encoder) {
  if (!row || !encoder) return NOBODY;
  const age = readAge(row.age ?? '');
  if (Number.isNaN(age)) throw new Error(`age: received ${row.age}, expected years from 0 to 120`);
  const person = {age, sex: row.sex ?? '', localization: row.localization ?? ''};
  const [strange] = unknownWords(person, encoder).filter((word) => word !== 'unknown');
  if (strange) throw new Error(`received ${strange}, which the model does not know`);
  return person;
}

async function sha256(file) {
  if (!globalThis.crypto?.subtle) return ''; // over plain HTTP elsewhere than on loopback
  const hash = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The columns of the table, as `slimderm batch` has them, and the warnings of the page. */
export function header(model) {
  const start = ['file', 'image_id', 'sha256', 'error', 'predicted'];
  return csvLine([...start, ...model.classes, 'warnings', 'model', 'calibrated']);
}

/**
 * Classify files; a file that cannot be read gets a line that says why.
 *
 * @param {File[]} files
 * @param {object} given
 * @param {import('./client.js').Client} given.client
 * @param {object} given.model As `model.json` describes it.
 * @param {Map<string, object>} given.people By `image_id`.
 * @param {AbortSignal} given.signal
 * @yields {{line: string, isFailed: boolean}}
 */
export async function* classifyAll(files, {client, model, people, signal}) {
  for (const file of files) {
    if (signal.aborted) return;
    const start = [pathOf(file), imageId(file)];
    const end = [model.name, model.calibrated];
    try {
      start.push(await sha256(file));
      const person = personOf(people.get(imageId(file)), model.encoder);
      const found = await client.ask('classify', {file, person, isShown: false});
      const place = found.probabilities.indexOf(Math.max(...found.probabilities));
      const shares = Array.from(found.probabilities, (share) => Number(share.toPrecision(7)));
      const answer = [model.classes[place], ...shares, found.warnings.join(' ')];
      yield {line: csvLine([...start, '', ...answer, ...end]), isFailed: false};
    } catch (error) {
      const blank = [start[2] ?? '', error.reason ?? error.message, ''];
      const none = [...model.classes.map(() => ''), ''];
      yield {line: csvLine([...start.slice(0, 2), ...blank, ...none, ...end]), isFailed: true};
    }
  }
}
