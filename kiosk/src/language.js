/** The page's language: what is shown, and numbers and dates as it writes them. */

import {LANGUAGES, STRINGS, WORDS} from './strings.js';

const KEPT = 'language'; // in the browser's own store
const listeners = [];
let language = 'en';

/** Begin with the language that was chosen before, else the browser's, else English. */
export function begin(select) {
  const asked = [stored(), ...navigator.languages.map((name) => name.slice(0, 2))];
  for (const [code, name] of Object.entries(LANGUAGES)) select.add(new Option(name, code));
  choose(asked.find((name) => name in LANGUAGES) ?? 'en');
  select.value = language;
  select.addEventListener('change', () => {
    choose(select.value);
    localStorage.setItem(KEPT, language);
  });
}

function stored() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // the browser keeps nothing
  }
}

function choose(code) {
  language = code;
  document.documentElement.lang = code;
  document.title = text('title');
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = text(element.dataset.text);
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', text(element.dataset.label));
  }
  for (const listener of listeners) listener();
}

/** Call a function now and whenever another language is chosen. */
export function inEveryLanguage(show) {
  listeners.push(show);
  show();
}

/** A text in the page's language; `{name}` becomes the value of that name. */
export function text(key, values = {}) {
  return STRINGS[key][language].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** A word of the model's in the page's language; itself where nobody has translated it. */
export function word(name) {
  return WORDS[name]?.[language] ?? name;
}

export function percent(share) {
  return number(share, {style: 'percent', maximumFractionDigits: share < 0.1 ? 1 : 0});
}

export function number(value, options = {maximumFractionDigits: 1}) {
  return new Intl.NumberFormat(language, options).format(value);
}

export function date(iso) {
  return new Intl.DateTimeFormat(language, {dateStyle: 'long', timeZone: 'UTC'}).format(
    new Date(iso),
  );
}
