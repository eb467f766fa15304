// Lists that are live. Rows that stay keep their place in the document, and with it the focus.
import { count, follow, localise } from "./console.js";

const controls = (row) => [...row.querySelectorAll("a, button, summary")];

function row(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();
  return holder.content.firstElementChild;
}

function replace(old, fresh) {
  const focused = controls(old).indexOf(document.activeElement);
  old.replaceWith(fresh);
  if (focused >= 0) (controls(fresh)[focused] ?? controls(fresh)[0])?.focus();
}

function show({ list: name, order, rows }) {
  const list = document.getElementById(name);
  for (const [key, html] of Object.entries(rows)) {
    const fresh = row(html);
    localise(fresh);
    const old = document.getElementById(key);
    if (old) replace(old, fresh);
    else list.append(fresh);
  }
  const wanted = new Set(order);
  for (const item of [...list.children]) if (!wanted.has(item.id)) item.remove();
  order.forEach((key, place) => {
    const item = document.getElementById(key);
    if (item && list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  count(list);
  const nothing = document.getElementById(`no-${name}`);
  if (nothing) nothing.hidden = order.length > 0;
}

for (const list of document.querySelectorAll("[data-live]")) follow(list.dataset.live, { list: show });
