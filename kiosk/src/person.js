/** Age, sex and site as the network takes them, by the names of its inputs. */

/**
 * @typedef {{age: number | null, sex: string, localization: string}} Person Age in years; words as
 * the encoder has them, or any other where unknown.
 */

const WORDS = {sex: 'sexes', localization: 'localizations'};

/** The words of `person` that are not among those of the model, the unknown one aside. */
export function unknownWords(person, encoder) {
  if (!encoder) return [];
  const given = Object.entries(WORDS).map(([name, list]) => [person[name], encoder[list]]);
  return given.filter(([word, list]) => word && !list.includes(word)).map(([word]) => word);
}

/**
 * Give every input beside the image.
 *
 * @param {Person} person
 * @param {object} model As `model.json` describes it.
 * @returns {Object<string, Float32Array>} By the names of the inputs.
 */
export function personInputs(person, {inputs, encoder}) {
  const names = Object.keys(inputs).filter((name) => name !== 'image');
  return Object.fromEntries(names.map((name) => [name, Float32Array.from(read(name))]));

  function read(name) {
    const age = person.age ?? encoder.age_median;
    if (name === 'age') return [age];
    if (name in WORDS) return [place(name)];
    if (name !== 'metadata') throw new Error(`model.json: received the unknown input ${name}`);
    return [(age - encoder.age_mean) / encoder.age_deviation, code('sex'), code('localization')];
  }

  function place(name) {
    return Math.max(0, encoder[WORDS[name]].indexOf(person[name]));
  }

  function code(name) {
    return place(name) / Math.max(1, encoder[WORDS[name]].length - 1);
  }
}
