// The launch form: rows that come and go, one alternative of a union at a time, parts that may be left out.

let made = 0;

function addRow(rows) {
  const template = rows.querySelector(":scope > template");
  const id = `n${Date.now().toString(36)}${(made++).toString(36)}`;
  const holder = document.createElement("template");
  holder.innerHTML = template.innerHTML.replaceAll(rows.dataset.placeholder, id);
  const row = holder.content.querySelector("[data-row]");
  template.before(holder.content);
  prepare(row);
  row.querySelector("input:not([type=hidden]), select, textarea")?.focus();
}

function removeRow(button) {
  const row = button.closest("[data-row]");
  const rows = row.parentElement;
  row.remove();
  rows.querySelector(":scope > [data-add-row]").focus();
}

function showAlternative(union) {
  const chosen = union.querySelector(":scope > select").value;
  for (const part of union.querySelectorAll(":scope > [data-alternative]")) part.hidden = part.dataset.alternative !== chosen;
}

function showGiven(part) {
  const given = part.querySelector(":scope > .given > input").checked;
  for (const inside of part.querySelectorAll(":scope > .inside")) inside.hidden = !given;
}

function prepare(root) {
  for (const union of root.querySelectorAll("[data-union]")) showAlternative(union);
  for (const part of root.querySelectorAll("[data-omittable]")) showGiven(part);
}

document.addEventListener("click", (event) => {
  const add = event.target.closest("[data-add-row]");
  if (add) addRow(add.parentElement);
  const remove = event.target.closest("[data-remove-row]");
  if (remove) removeRow(remove);
});

document.addEventListener("change", (event) => {
  const union = event.target.parentElement.closest("[data-union]");
  if (union && event.target.parentElement === union) showAlternative(union);
  if (event.target.closest(".given")) showGiven(event.target.closest("[data-omittable]"));
});

const form = document.querySelector("form.launch");
const MIB = 1024 * 1024;

const filesIn = (part) => [...part.querySelectorAll('input[type="file"]')].flatMap((input) => [...input.files]);
const bytesOf = (files) => files.reduce((total, file) => total + file.size, 0);

function sizeText(bytes) {
  if (bytes < MIB) return `${Math.ceil(bytes / 1024)} KiB`;
  return bytes < 1024 * MIB ? `${(bytes / MIB).toFixed(1)} MiB` : `${(bytes / 1024 / MIB).toFixed(1)} GiB`;
}

/** What is too much of the files below an element; empty if nothing is. */
function excess(part) {
  const { mostFiles, mostGib } = form.dataset;
  const files = filesIn(part);
  if (files.length <= Number(mostFiles) && bytesOf(files) <= Number(mostGib) * 1024 * MIB) return "";
  return `At most ${mostFiles} files and ${mostGib} GiB can be uploaded at once. Copy the data to an object store, and give its address instead.`;
}

document.addEventListener("change", (event) => {
  const picks = event.target.closest("[data-picks]");
  if (!picks || event.target.type !== "file") return;
  const files = filesIn(picks);
  const told = picks.parentElement.querySelector("[data-picked]");
  const count = files.length === 1 ? "One file" : `${files.length} files`;
  told.textContent = excess(picks) || (files.length ? `${count}, ${sizeText(bytesOf(files))}` : "");
});

// A second click starts nothing more; the platform would know the request again anyway.
form.addEventListener("submit", (event) => {
  const told = document.getElementById("sending");
  told.textContent = excess(form);
  if (told.textContent) {
    event.preventDefault();
    return;
  }
  if (filesIn(form).length) told.textContent = `Uploading ${sizeText(bytesOf(filesIn(form)))}…`;
  for (const button of event.target.querySelectorAll("button.main")) button.disabled = true;
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form.launch button.main")) button.disabled = false;
});

prepare(document);
document.getElementById("problems")?.focus();
