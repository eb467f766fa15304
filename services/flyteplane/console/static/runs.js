// The list of runs, live. Rows that stay keep their place in the document, and with it the focus.
import { count, follow, localise } from "./console.js";

const list = document.getElementById("runs");

function row(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html.trim();
  return holder.content.firstElementChild;
}

function show({ order, rows }) {
  for (const [key, html] of Object.entries(rows)) {
    const fresh = row(html);
    localise(fresh);
    const old = document.getElementById(key);
    const focused = old?.contains(document.activeElement);
    if (old) old.replaceWith(fresh);
    else list.append(fresh);
    if (focused) fresh.querySelector("a")?.focus();
  }
  const wanted = new Set(order);
  for (const item of [...list.children]) if (!wanted.has(item.id)) item.remove();
  order.forEach((key, place) => {
    const item = document.getElementById(key);
    if (item && list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  count(list);
  document.getElementById("no-runs").hidden = order.length > 0;
}

if (list.dataset.live) follow(list.dataset.live, { list: show });
