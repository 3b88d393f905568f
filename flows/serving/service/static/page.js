const form = document.querySelector("#form");
const shown = document.querySelector("#answer");
const preview = document.querySelector("#preview");

const known = await fetch("/model").then((reply) => (reply.ok ? reply.json() : {}), () => ({}));
for (const name of ["sexes", "localizations"]) {
  document.querySelector(`#${name}`).replaceChildren(
    ...(known[name] ?? []).map((word) => Object.assign(document.createElement("option"), {value: word})),
  );
}
form.querySelector(".person").hidden = known.sexes?.length === 0;

form.image.addEventListener("change", () => {
  URL.revokeObjectURL(preview.src);
  const [file] = form.image.files;
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  shown.replaceChildren(line("p", "…"));
  const token = document.querySelector("#token").value;
  const headers = token ? {Authorization: `Bearer ${token}`} : {};
  try {
    const reply = await fetch("/predict", {method: "POST", headers, body: new FormData(form)});
    const said = await reply.json();
    shown.replaceChildren(...(reply.ok ? answer(said) : [line("p", said.message, "warning")]));
  } catch (error) {
    shown.replaceChildren(line("p", `The service does not answer: ${error.message}`, "warning"));
  }
});

function answer(said) {
  const sorted = Object.entries(said.probabilities).sort((one, other) => other[1] - one[1]);
  const {name, version, calibrated} = said.model;
  const told = calibrated ? "probabilities are calibrated" : "probabilities are not calibrated";
  return [
    line("h2", said.predicted),
    ...sorted.map(([label, share]) => bar(label, share)),
    ...said.warnings.map((warning) => line("p", warning, "warning")),
    line("p", `${name} version ${version}; ${told}. ${said.note}`, "note"),
  ];
}

function bar(label, share) {
  const row = line("div", "", "bar");
  const meter = document.createElement("meter");
  meter.value = share;
  meter.setAttribute("aria-label", label);
  row.append(line("span", label), meter, line("span", `${(100 * share).toFixed(1)} %`));
  return row;
}

function line(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}
