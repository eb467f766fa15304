// The tree of a run: folds, windows, bars on one scale, and what happens, live.
import { drawBars, measure } from "./bars.js";
import { count, follow, localise, mention } from "./console.js";

const tree = document.querySelector(".tree");
if (tree) {
  const base = tree.dataset.run;
  const MOST_ROWS = 300;

  function draw(root = tree) {
    drawBars(root);
    count(root);
    localise(root);
  }

  const windowAddress = (data) => {
    const query = new URLSearchParams(data.phase ? { phase: data.phase } : { parent: data.parent });
    if (data.group !== undefined) query.set("group", data.group);
    if (data.token) query.set("token", data.token);
    return `${base}/tree?${query}`;
  };

  async function fetchRows(data) {
    const response = await fetch(windowAddress(data));
    if (!response.ok) throw new Error(String(response.status));
    const holder = document.createElement("ul");
    holder.innerHTML = await response.text();
    return [...holder.children];
  }

  async function unfold(button) {
    const item = button.closest("li");
    let list = item.querySelector(":scope > ul");
    if (!list) {
      list = document.createElement("ul");
      list.replaceChildren(...await fetchRows(button.dataset));
      item.append(list);
      draw(list);
    }
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
  }

  async function more(button) {
    const item = button.parentElement;
    button.disabled = true;
    const rows = await fetchRows(button.dataset);
    const fresh = rows.filter((row) => !row.id || !document.getElementById(row.id));
    const focus = fresh[0]?.querySelector("a, button");
    item.replaceWith(...fresh);
    for (const row of fresh) draw(row);
    focus?.focus();
  }

  tree.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const unread = () => {
      button.disabled = false;
      mention("These rows could not be read. Try again in a moment, or load the page again.");
    };
    if (button.dataset.token) more(button).catch(unread);
    else if (button.getAttribute("aria-expanded") === "true") {
      button.setAttribute("aria-expanded", "false");
      button.closest("li").querySelector(":scope > ul").hidden = true;
    } else unfold(button).catch(unread);
  });

  // Arrow keys move between rows, left and right fold.
  tree.addEventListener("keydown", (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) {
      const rows = [...tree.querySelectorAll(".node, .more")].filter((row) => row.checkVisibility());
      const place = rows.indexOf(event.target.closest(".node, .more")) + moves[event.key];
      // A group has no page of its own: its fold stands for it.
      (rows[place]?.querySelector(".what a") ?? rows[place]?.querySelector("button"))?.focus();
      event.preventDefault();
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const fold = event.target.closest(".node")?.querySelector("button.fold");
      if (fold && (fold.getAttribute("aria-expanded") === "true") === (event.key === "ArrowLeft")) fold.click();
    }
  });

  function put(row) {
    const item = document.getElementById(row.key);
    if (item) {
      const old = item.querySelector(":scope > .node");
      const opened = old.querySelector(".fold")?.getAttribute("aria-expanded");
      const focused = old.contains(document.activeElement) && document.activeElement.tagName;
      old.insertAdjacentHTML("beforebegin", row.html);
      old.remove();
      if (opened === "true") item.querySelector(".fold").setAttribute("aria-expanded", "true");
      if (focused) item.querySelector(`.node ${focused.toLowerCase()}`)?.focus();
      draw(item.querySelector(":scope > .node"));
      return;
    }
    const list = document.querySelector(`#${CSS.escape(row.list)} > ul`);
    if (!list || list.children.length > MOST_ROWS || list.querySelector(":scope > .more")) return;
    const fresh = document.createElement("li");
    fresh.id = row.key;
    fresh.innerHTML = row.html;
    list.append(fresh);
    draw(fresh);
  }

  // When too much changes to say what, the windows that are open are read again.
  let reading = false;
  async function readAgain() {
    if (reading || document.hidden) return;
    reading = true;
    try {
      for (const list of [...tree.querySelectorAll("li > ul:not([hidden])")].slice(0, 20)) {
        const fold = list.parentElement.querySelector(":scope > .node button.fold");
        const rows = await fetchRows(fold?.dataset ?? list.dataset);
        for (const row of rows) {
          if (row.id) put({ key: row.id, list: list.parentElement.id, html: row.querySelector(".node").outerHTML });
          else if (!list.querySelector(":scope > .more")) list.append(row);
        }
      }
    } finally {
      reading = false;
    }
  }

  const head = document.getElementById("head");
  const counts = document.getElementById("counts");
  const terminal = new Set(["succeeded", "failed", "aborted", "timed-out"]);

  function update(data) {
    counts.innerHTML = data.counts;
    if (data.head) {
      head.innerHTML = data.head;
      localise(head);
      count(head);
    }
    if (data.phase) {
      const ended = terminal.has(data.phase);
      for (const item of document.querySelectorAll("[data-while-running]")) item.hidden = ended;
      for (const item of document.querySelectorAll("[data-when-ended]")) item.hidden = !ended;
    }
    for (const row of data.rows) put(row);
    if (data.many) readAgain().catch(() => {});
    measure(tree);
  }

  for (const list of tree.querySelectorAll("li > ul[data-loaded]")) {
    list.parentElement.querySelector(":scope > .node button.fold")?.setAttribute("aria-expanded", "true");
  }
  measure(tree);
  draw();
  if (tree.dataset.events) {
    const redraw = setInterval(() => {
      if (document.hidden) return;
      measure(tree);
      draw();
    }, 1000);
    follow(tree.dataset.events, {
      update,
      ended: () => {
        clearInterval(redraw);
        readAgain().then(() => { measure(tree); draw(); }).catch(() => {});
      },
    });
  }
}
