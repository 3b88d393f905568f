/** Age, sex and site as people give them. */

import {inEveryLanguage, text, word} from './language.js';

const OLDEST = 120; // years, as `components/dataset/metadata.py` has it
const WORDS = {sex: 'sexes', localization: 'localizations'};
const element = (id) => document.getElementById(id);

export class PersonForm {
  /** @param {object | null} encoder As `model.json` has it; null where images are seen alone. */
  constructor(encoder) {
    this.encoder = encoder;
    element('person').hidden = !encoder;
    if (encoder) inEveryLanguage(() => this.#fill());
  }

  #fill() {
    for (const [name, list] of Object.entries(WORDS)) {
      const select = element(name);
      const {value} = select;
      select.replaceChildren(...this.encoder[list].map((each) => new Option(word(each), each)));
      select.value = value || this.encoder[list][0];
    }
    this.#check();
  }

  #check() {
    const isGood = element('age').validity.valid;
    element('age-fault').textContent = isGood ? '' : text('badAge');
    element('age').setAttribute('aria-invalid', String(!isGood));
    return isGood;
  }

  /** @returns {import('./person.js').Person} */
  read() {
    const age = readAge(element('age').value);
    return {age, sex: element('sex').value, localization: element('localization').value};
  }

  /** Call a function when somebody has changed a value to one that can be read. */
  onChange(listener) {
    for (const name of ['age', ...Object.keys(WORDS)]) {
      element(name).addEventListener('change', () => this.#check() && listener());
    }
  }
}

/** @returns {number | null} Years, null for nothing; NaN for what is no age. */
export function readAge(given) {
  if (given.trim() === '') return null;
  const age = Number(given);
  return age >= 0 && age <= OLDEST ? age : NaN;
}
