/** The page: the network is loaded, and a picture or a changed person is classified. */

import {AnswerView} from './answer_view.js';
import {BatchView} from './batch_view.js';
import {Client} from './client.js';
import {Explanation} from './explanation.js';
import {takePictures} from './files.js';
import {begin, date, inEveryLanguage, number, text} from './language.js';
import {keepForLater} from './offline.js';
import {PersonForm} from './person_form.js';
import {Preview} from './preview.js';

const element = (id) => document.getElementById(id);

async function start() {
  begin(element('language'));
  const answer = new AnswerView();
  answer.say('loading');
  try {
    element('offline').hidden = !(await keepForLater());
    const client = new Client();
    run(client, await client.ready, answer);
  } catch (error) {
    answer.fail('broken', error.message);
  }
}

function run(client, model, answer) {
  const preview = new Preview();
  const person = new PersonForm(model.encoder);
  const explanation = new Explanation(client, preview);
  new BatchView(client, model);
  inEveryLanguage(() => about(model));
  let file = null;
  let asked = 0;

  async function classify() {
    const turn = ++asked;
    explanation.forget();
    if (!file) return answer.say('waiting');
    answer.say('working');
    try {
      const given = {file, person: person.read(), isShown: true};
      const found = await client.ask('classify', given);
      if (turn !== asked) return undefined; // something newer was asked meanwhile
      preview.show(found.preview, file.name);
      answer.show(found, model);
      explanation.offer(found, model);
    } catch (error) {
      if (turn !== asked) return undefined;
      preview.forget();
      answer.fail(error.reason, error.message);
    }
    return undefined;
  }

  person.onChange(classify);
  takePictures([element('camera'), element('file')], element('drop'), (files) => {
    [file] = files;
    classify();
  });
  classify();
}

function about(model) {
  const facts = {date: date(model.date), bytes: number(model.bytes)};
  const parts = [model.name, text('built', facts)];
  if (model.calibrated) parts.push(text('calibrated'));
  element('about').textContent = `${text('model')}: ${parts.join(', ')}.`;
}

start();
