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

// A second click starts nothing more; the platform would know the request again anyway.
document.querySelector("form.launch").addEventListener("submit", (event) => {
  for (const button of event.target.querySelectorAll("button.main")) button.disabled = true;
});
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form.launch button.main")) button.disabled = false;
});

prepare(document);
document.getElementById("problems")?.focus();
