// What every page needs: local times, durations that count up, the theme, changes with their token.

export const token = document.querySelector('meta[name="form-token"]')?.content ?? "";

/** Makes a change. Resolves with the response; the token goes along. */
export function post(path, body = new FormData()) {
  return fetch(path, { method: "POST", headers: { "X-Form-Token": token }, body });
}

export function duration(seconds) {
  if (seconds < 1) return `${Math.max(seconds * 1000, 0).toFixed(0)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Shows the times below an element in the zone of the reader. */
export function localise(root = document) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    time.title = time.textContent;
    time.textContent = dayAndTime.format(new Date(time.dateTime));
  }
}

/** Brings running durations up to date. */
export function count(root = document) {
  const now = Date.now() / 1000;
  for (const span of root.querySelectorAll(".took[data-from]:not([data-until])")) {
    span.textContent = duration(now - Number(span.dataset.from));
  }
}

const status = document.getElementById("connection");
let hiding;

/** Says how the connection stands; an empty text says nothing. */
export function say(text, good = false) {
  clearTimeout(hiding);
  status.hidden = !text;
  status.textContent = text;
  status.classList.toggle("good", good);
  if (good) hiding = setTimeout(() => say(""), 3000);
}

document.querySelector("[data-theme-toggle]")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

localise();
count();
setInterval(() => { if (!document.hidden) count(); }, 1000);

/**
 * Follows a stream of events until one of the kind "ended". A connection that is lost is opened again where it was, and
 * the page says so.
 * @param {Object<string, function(any): void>} handlers by kind of event
 */
export function follow(address, handlers) {
  const source = new EventSource(address);
  let lost = false;
  source.onopen = () => {
    if (lost) say("Connected again. Nothing was missed.", true);
    lost = false;
  };
  source.onerror = () => {
    lost = true;
    say(source.readyState === EventSource.CLOSED ? "The connection is lost. Load the page again." : "Reconnecting…");
  };
  for (const [kind, handle] of Object.entries(handlers)) {
    source.addEventListener(kind, (event) => {
      if (kind === "ended") source.close();
      handle(JSON.parse(event.data));
    });
  }
  return source;
}
