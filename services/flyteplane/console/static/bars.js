// Bars of actions and attempts on one scale: how long each waited, and how long it ran.
import { duration } from "./console.js";

const scale = { from: 0, until: 0 };
const number = (text) => (text ? Number(text) : null);

/** Takes the scale from the bars below an element: from the first beginning to the last end, or to now. */
export function measure(root) {
  const now = Date.now() / 1000;
  const bars = [...root.querySelectorAll(".bar")].filter((bar) => bar.dataset.created);
  scale.from = Math.min(...bars.map((bar) => Number(bar.dataset.created)));
  scale.until = Math.max(scale.from + 0.001, ...bars.map((bar) => number(bar.dataset.ended) ?? now));
}

function segment(bar, kind, from, until) {
  const whole = scale.until - scale.from;
  const piece = document.createElement("i");
  piece.className = kind;
  piece.style.left = `${Math.max(((from - scale.from) / whole) * 100, 0)}%`;
  piece.style.width = `${Math.max(((until - from) / whole) * 100, 0)}%`;
  bar.append(piece);
}

function drawBar(bar) {
  const created = number(bar.dataset.created);
  const started = number(bar.dataset.started);
  const ended = number(bar.dataset.ended) ?? scale.until;
  bar.replaceChildren();
  if (created === null) return;
  segment(bar, "waited", created, started ?? ended);
  if (started !== null) segment(bar, "ran", started, ended);
  bar.title = `waited ${duration((started ?? ended) - created)}${started === null ? "" : `, ran ${duration(ended - started)}`}`;
}

/** Draws the bars below an element on the scale that was measured last. */
export function drawBars(root) {
  for (const bar of root.querySelectorAll(".bar")) drawBar(bar);
}
