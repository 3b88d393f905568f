/** Tables as text: RFC 4180, with what spreadsheets write beside it. */

/** @returns {string} A line, ended by a line feed. */
export function csvLine(values) {
  return `${values.map(quoted).join(',')}\n`;
}

function quoted(value) {
  const text = String(value ?? '');
  // A spreadsheet would compute what begins so; file names are strangers' text.
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Read a table with a header.
 *
 * @param {string} text Separated by comma, semicolon or tab, whichever its first line has most of.
 * @returns {Object<string, string>[]} A row each, by the names of the columns.
 */
export function readCsv(text) {
  const plain = text.replace(/^\uFEFF/, '');
  const [head] = plain.split(/\r?\n/, 1);
  const separator = [',', ';', '\t'].sort((a, b) => head.split(b).length - head.split(a).length)[0];
  const [names, ...rows] = cells(plain, separator).filter((row) => row.some((cell) => cell));
  if (!names) return [];
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name.trim(), row[i] ?? ''])));
}

function cells(text, separator) {
  const rows = [];
  let row = [];
  let cell = '';
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (isQuoted) {
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') cell += text[i++];
      else isQuoted = false;
    } else if (letter === '"') isQuoted = true;
    else if (letter === separator) {
      row.push(cell.trim());
      cell = '';
    } else if (letter === '\n') {
      rows.push([...row, cell.trim()]);
      row = [];
      cell = '';
    } else cell += letter;
  }
  return cell || row.length ? [...rows, [...row, cell.trim()]] : rows;
}
