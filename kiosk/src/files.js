/** Files as people give them: chosen, photographed, dropped, pasted, whole folders. */

const SUFFIXES = /\.(jpe?g|png|webp|avif)$/i;

/** Whether a file is called like a picture or a browser takes it for one. */
export function isPicture(file) {
  return SUFFIXES.test(file.name) || file.type.startsWith('image/');
}

/** What a file is called within the folder that was given. */
export function pathOf(file) {
  return file.pathInFolder ?? (file.webkitRelativePath || file.name);
}

/**
 * Take files from inputs and from what is dropped on a place, and pictures that are pasted.
 *
 * @param {HTMLInputElement[]} inputs
 * @param {HTMLElement} place
 * @param {(files: File[]) => void} take Called with one file at least.
 */
export function takePictures(inputs, place, take) {
  takeFiles(inputs, place, take);
  document.addEventListener('paste', (event) => {
    const files = [...event.clipboardData.files];
    if (files.length) take(files);
  });
}

/** The same, without what is pasted. */
export function takeFiles(inputs, place, take) {
  for (const input of inputs) {
    input.addEventListener('change', () => {
      if (input.files.length) take([...input.files]);
      input.value = ''; // so that the same file can be chosen again
    });
  }
  for (const kind of ['dragenter', 'dragover']) {
    place.addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.add('over');
    });
  }
  place.addEventListener('dragleave', () => place.classList.remove('over'));
  place.addEventListener('drop', async (event) => {
    event.preventDefault();
    place.classList.remove('over');
    const files = await dropped(event.dataTransfer);
    if (files.length) take(files);
  });
}

// Else a picture that misses its place would be opened instead of the page.
for (const kind of ['dragover', 'drop']) {
  document.addEventListener(kind, (event) => event.preventDefault());
}

async function dropped(transfer) {
  // Entries are gone after the first wait, so all are taken at once.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  for (const entry of entries) await gather(entry, found);
  return found;
}

async function gather(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push(Object.assign(file, {pathInFolder: entry.fullPath.slice(1)}));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A browser gives a hundred at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await gather(each, found);
  }
}
