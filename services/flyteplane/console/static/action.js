// The page of one action: its log, its report, and its parts as they change.
import { drawBars, measure } from "./bars.js";
import { count, follow, localise } from "./console.js";

const MOST_LINES = 10000;
const SPACING_MS = 250;

function logs(section) {
  const list = section.querySelector("[data-lines]");
  const attempt = section.querySelector("[data-attempt]");
  const search = section.querySelector("[data-search]");
  const only = section.querySelector("[data-only]");
  const found = section.querySelector("[data-found]");
  const note = section.querySelector("[data-log-note]");
  const download = section.querySelector("[data-download]");
  let source;
  let matches = 0;
  let waiting = [];
  let drawing = 0;
  let dropped = 0;

  const fits = (line) => search.value !== "" && line.textContent.toLowerCase().includes(search.value.toLowerCase());

  function mark(line) {
    const fit = fits(line);
    line.classList.toggle("found", fit);
    matches += fit;
  }

  function tell() {
    found.textContent = search.value === "" ? "" : `${matches} ${matches === 1 ? "line" : "lines"}`;
  }

  function searchAgain() {
    matches = 0;
    for (const line of list.children) mark(line);
    list.classList.toggle("only", only.checked && search.value !== "");
    list.querySelector(".found")?.scrollIntoView({ block: "nearest" });
    tell();
  }

  function drawn(pieces) {
    const line = document.createElement("div");
    for (const [text, classes] of pieces) {
      if (!classes) line.append(text);
      else {
        const piece = document.createElement("span");
        piece.className = classes;
        piece.textContent = text;
        line.append(piece);
      }
    }
    mark(line);
    return line;
  }

  function drop(lines) {
    for (const line of lines) {
      matches -= line.classList.contains("found");
      line.remove();
    }
    dropped += lines.length;
  }

  // Once for all that came lately: a long log comes in many messages, and each drawing lays out thousands of lines.
  function draw() {
    drawing = 0;
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    dropped += Math.max(waiting.length - MOST_LINES, 0);
    const fresh = waiting.slice(-MOST_LINES).map(drawn);
    waiting = [];
    list.append(...fresh);
    drop([...list.children].slice(0, Math.max(list.children.length - MOST_LINES, 0)));
    if (dropped) note.textContent = `The ${dropped.toLocaleString()} lines before these are in the file.`;
    if (atEnd) list.scrollTop = list.scrollHeight;
    tell();
  }

  function add(lines) {
    for (const line of lines) waiting.push(line);
    drawing ||= setTimeout(draw, list.children.length ? SPACING_MS : 0);
  }

  function open() {
    source?.close();
    list.replaceChildren();
    [matches, waiting, dropped] = [0, [], 0];
    note.textContent = "";
    const query = `attempt=${encodeURIComponent(attempt.value)}`;
    download.href = `${section.dataset.logs}/download?${query}`;
    source = follow(`${section.dataset.logs}?${query}`, {
      lines: add,
      skipped: (before) => {
        list.replaceChildren();
        [matches, waiting, dropped] = [0, [], before];
      },
      ended: () => { if (!list.children.length && !waiting.length) note.textContent = "Nothing was written."; },
    });
  }

  attempt.addEventListener("change", open);
  search.addEventListener("input", searchAgain);
  only.addEventListener("change", searchAgain);
  open();
  return { open, chosen: () => attempt.value };
}

// A report is asked for when the platform says that it was written; what has not changed costs a few bytes.
function report(frame) {
  let mark;
  async function look() {
    const response = await fetch(frame.dataset.report, { headers: mark ? { "If-None-Match": mark } : {}, cache: "no-store" });
    if (response.status !== 200) return;
    mark = response.headers.get("etag");
    frame.src = frame.dataset.report;
    frame.hidden = false;
    document.querySelector("[data-when-report]").hidden = false;
    document.querySelector("[data-no-report]").hidden = true;
  }
  return () => look().catch(() => {});
}

function attempts() {
  const timeline = document.querySelector(".timeline");
  if (!timeline) return;
  measure(timeline);
  drawBars(timeline);
}

const place = document.querySelector("[data-action]");
const section = document.querySelector("[data-logs]");
const log = logs(section);
attempts();
const frame = document.querySelector("[data-report]");
const look = frame ? report(frame) : () => {};

async function readParts() {
  const response = await fetch(location.pathname);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
    localise(part);
    count(part);
  }
  attempts();
  const choice = section.querySelector("[data-attempt]");
  const choices = page.querySelector("[data-attempt]");
  const latest = choice.options[0]?.value;
  if (choices.options[0]?.value !== latest) {
    const follows = choice.value === latest;
    choice.replaceChildren(...choices.childNodes);
    if (follows) {
      choice.selectedIndex = 0;
      log.open();
    }
  }
}

if (place.hasAttribute("data-terminal")) {
  look();
} else {
  follow(`${place.dataset.action}/events?from=${place.dataset.following}`, {
    changed: () => readParts().catch(() => {}),
    report: look,
    ended: () => {
      readParts().catch(() => {});
      look();
    },
  });
}
