/** Every text of the page, in every language: the one place to add a text or a language. */

export const LANGUAGES = {en: 'English', de: 'Deutsch'};

export const STRINGS = {
  title: {en: 'Skin lesion kiosk', de: 'Hautbild-Kiosk'},
  language: {en: 'Language', de: 'Sprache'},
  notice: {
    en: 'Not a medical device, no diagnosis.',
    de: 'Kein Medizinprodukt, keine Diagnose.',
  },
  private: {
    en: 'Pictures stay in this browser. Nothing is sent anywhere.',
    de: 'Bilder bleiben in diesem Browser. Es wird nichts gesendet.',
  },
  skip: {en: 'Skip to the answer', de: 'Zur Antwort springen'},

  picture: {en: 'Picture', de: 'Bild'},
  takePhoto: {en: 'Take a photo', de: 'Foto aufnehmen'},
  choosePicture: {en: 'Choose a picture', de: 'Bild wählen'},
  dropHint: {
    en: 'Or drop or paste one here: a dermatoscopic image of one lesion.',
    de: 'Oder hier ablegen oder einfügen: ein dermatoskopisches Bild einer Läsion.',
  },
  previewOf: {en: 'The picture {name}', de: 'Das Bild {name}'},
  overlayOf: {
    en: 'The picture {name}; parts that the answer rests on are coloured',
    de: 'Das Bild {name}; Stellen, auf denen die Antwort beruht, sind gefärbt',
  },

  person: {en: 'Person', de: 'Person'},
  age: {en: 'Age in years', de: 'Alter in Jahren'},
  sex: {en: 'Sex', de: 'Geschlecht'},
  site: {en: 'Site', de: 'Körperstelle'},
  leaveEmpty: {en: 'Leave empty what is unknown.', de: 'Unbekanntes bleibt leer.'},
  badAge: {en: 'Expected: years from 0 to 120', de: 'Erwartet: Jahre von 0 bis 120'},

  answer: {en: 'Answer', de: 'Antwort'},
  loading: {en: 'The network is being loaded…', de: 'Das Netz wird geladen…'},
  waiting: {en: 'Give it a picture.', de: 'Es fehlt noch ein Bild.'},
  working: {en: 'Looking…', de: 'Wird betrachtet…'},
  summary: {en: 'Most probable: {name}, {share}.', de: 'Am wahrscheinlichsten: {name}, {share}.'},
  took: {
    en: 'Read in {read} ms, classified in {network} ms.',
    de: 'Gelesen in {read} ms, klassifiziert in {network} ms.',
  },
  doubts: {en: 'What the network does not know', de: 'Was das Netz nicht weiß'},
  decided: {
    en: 'It is decided: entropy {bits} bits, {share} of the greatest. That does not make it right.',
    de: 'Es ist entschieden: Entropie {bits} Bit, {share} der größten. Richtig muss es nicht sein.',
  },
  leaning: {
    en: 'It leans to one class: entropy {bits} bits, {share} of the greatest.',
    de: 'Es neigt zu einer Klasse: Entropie {bits} Bit, {share} der größten.',
  },
  undecided: {
    en: 'It is undecided: entropy {bits} bits, {share} of the greatest. Take this as no answer.',
    de: 'Es ist unentschieden: Entropie {bits} Bit, {share} der größten. Das ist keine Antwort.',
  },
  notCalibrated: {
    en: 'The probabilities are not calibrated: they may be far too sure.',
    de: 'Die Wahrscheinlichkeiten sind nicht kalibriert: sie sind vielleicht viel zu sicher.',
  },
  tooDark: {en: 'The picture is very dark.', de: 'Das Bild ist sehr dunkel.'},
  tooBright: {en: 'The picture is very bright.', de: 'Das Bild ist sehr hell.'},
  blurred: {en: 'The picture is blurred.', de: 'Das Bild ist unscharf.'},
  littleSkin: {
    en: 'Little of it has a colour of skin or a lesion: is it one?',
    de: 'Wenig davon hat eine Farbe von Haut oder Läsion: ist es eine?',
  },
  tooSmall: {
    en: 'It has fewer pixels than the network takes.',
    de: 'Es hat weniger Bildpunkte, als das Netz nimmt.',
  },
  oddShape: {
    en: 'It is far longer than wide; the network sees it squeezed.',
    de: 'Es ist weit länger als breit; das Netz sieht es gestaucht.',
  },
  outOfRange: {
    en: 'The network has hardly seen such pictures. Do not rely on the answer.',
    de: 'Solche Bilder hat das Netz kaum gesehen. Auf die Antwort ist kein Verlass.',
  },

  explain: {en: 'Show what it rests on', de: 'Zeigen, worauf sie beruht'},
  hideOverlay: {en: 'Hide the colours', de: 'Farben ausblenden'},
  explainHint: {
    en: 'Orange: covering this makes “{name}” less probable, by {most} points at most; blue: more.',
    de: 'Orange: verdeckt wird „{name}“ unwahrscheinlicher, um höchstens {most} Punkte; blau: mehr.',
  },
  explainNothing: {
    en: 'Covering any one part changes “{name}” by less than 0.5 points: no part decides alone.',
    de: 'Keine Stelle, die verdeckt wird, ändert „{name}“ um 0,5 Punkte: keine entscheidet allein.',
  },
  cancel: {en: 'Cancel', de: 'Abbrechen'},
  cancelled: {en: 'Cancelled.', de: 'Abgebrochen.'},
  progress: {en: 'Progress', de: 'Fortschritt'},

  many: {en: 'Many pictures', de: 'Viele Bilder'},
  manyHint: {
    en: 'Every picture of a folder gets a line in a table (CSV). Nothing is sent.',
    de: 'Jedes Bild eines Ordners bekommt eine Zeile in einer Tabelle (CSV). Nichts wird gesendet.',
  },
  chooseFolder: {en: 'Choose a folder', de: 'Ordner wählen'},
  chooseFiles: {en: 'Choose pictures', de: 'Bilder wählen'},
  chooseTable: {en: 'Choose a table', de: 'Tabelle wählen'},
  tableHint: {
    en: 'A table is not needed: CSV with image_id and any of age, sex, localization.',
    de: 'Eine Tabelle ist nicht nötig: CSV mit image_id und age, sex oder localization.',
  },
  chosen: {en: '{count} pictures chosen.', de: '{count} Bilder gewählt.'},
  tableRead: {en: 'Table: {count} rows.', de: 'Tabelle: {count} Zeilen.'},
  tableWithoutId: {
    en: 'The table has no column image_id.',
    de: 'Die Tabelle hat keine Spalte image_id.',
  },
  start: {en: 'Start', de: 'Los'},
  batchAt: {en: '{done} of {count}', de: '{done} von {count}'},
  batchDone: {
    en: '{done} of {count} pictures; {failed} could not be read.',
    de: '{done} von {count} Bildern; {failed} nicht lesbar.',
  },
  download: {en: 'Save the table', de: 'Tabelle speichern'},

  model: {en: 'Model', de: 'Modell'},
  built: {en: 'exported on {date}, {bytes} bytes', de: 'exportiert am {date}, {bytes} Byte'},
  calibrated: {en: 'calibrated', de: 'kalibriert'},
  offline: {en: 'Works offline from now on.', de: 'Läuft ab jetzt auch ohne Netz.'},

  emptyFile: {en: 'The file is empty.', de: 'Die Datei ist leer.'},
  noPicture: {
    en: 'This is no picture that the browser reads: expected JPEG, PNG, WebP or AVIF.',
    de: 'Das ist kein Bild, das der Browser liest: erwartet JPEG, PNG, WebP oder AVIF.',
  },
  deepFile: {
    en: 'The picture has more than 8 bits a channel: expected 8.',
    de: 'Das Bild hat mehr als 8 Bit je Kanal: erwartet 8.',
  },
  hugeFile: {
    en: 'The picture has more than 64 megapixels: expected fewer.',
    de: 'Das Bild hat mehr als 64 Megapixel: erwartet weniger.',
  },
  broken: {
    en: 'The kiosk does not work here: {message}',
    de: 'Der Kiosk läuft hier nicht: {message}',
  },
};

/** What models call their classes, sexes and sites; a word that is not here is shown as it is. */
export const WORDS = {
  melanoma: {en: 'Melanoma', de: 'Melanom'},
  nevus: {en: 'Nevus (mole)', de: 'Nävus (Muttermal)'},
  other: {en: 'Another lesion', de: 'Andere Läsion'},
  negative: {en: 'No skin lesion', de: 'Keine Hautläsion'},
  akiec: {en: 'Actinic keratosis', de: 'Aktinische Keratose'},
  bcc: {en: 'Basal cell carcinoma', de: 'Basalzellkarzinom'},
  bkl: {en: 'Benign keratosis', de: 'Gutartige Keratose'},
  df: {en: 'Dermatofibroma', de: 'Dermatofibrom'},
  mel: {en: 'Melanoma', de: 'Melanom'},
  nv: {en: 'Nevus (mole)', de: 'Nävus (Muttermal)'},
  scc: {en: 'Squamous cell carcinoma', de: 'Plattenepithelkarzinom'},
  vasc: {en: 'Vascular lesion', de: 'Gefäßläsion'},

  unknown: {en: 'unknown', de: 'unbekannt'},
  female: {en: 'female', de: 'weiblich'},
  male: {en: 'male', de: 'männlich'},

  abdomen: {en: 'abdomen', de: 'Bauch'},
  acral: {en: 'acral', de: 'akral'},
  back: {en: 'back', de: 'Rücken'},
  chest: {en: 'chest', de: 'Brust'},
  ear: {en: 'ear', de: 'Ohr'},
  face: {en: 'face', de: 'Gesicht'},
  foot: {en: 'foot', de: 'Fuß'},
  genital: {en: 'genital', de: 'Genitalbereich'},
  hand: {en: 'hand', de: 'Hand'},
  'lower extremity': {en: 'lower extremity', de: 'Bein'},
  neck: {en: 'neck', de: 'Hals'},
  scalp: {en: 'scalp', de: 'Kopfhaut'},
  trunk: {en: 'trunk', de: 'Rumpf'},
  'upper extremity': {en: 'upper extremity', de: 'Arm'},
  torso: {en: 'torso', de: 'Rumpf'},
  'anterior torso': {en: 'front of the torso', de: 'Rumpf vorn'},
  'lateral torso': {en: 'side of the torso', de: 'Rumpf seitlich'},
  'posterior torso': {en: 'back of the torso', de: 'Rumpf hinten'},
  'head/neck': {en: 'head or neck', de: 'Kopf oder Hals'},
  'oral/genital': {en: 'mouth or genital', de: 'Mund oder Genitalbereich'},
  'palms/soles': {en: 'palms or soles', de: 'Handflächen oder Fußsohlen'},
};
