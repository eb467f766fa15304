// What every page needs: local times, durations that count up, the theme, changes with their token.

export const token = document.querySelector('meta[name="form-token"]')?.content ?? "";

/** Makes a change. Resolves with the response; the token goes along. */
export function post(path, body = new FormData()) {
  return fetch(path, { method: "POST", headers: { "X-Form-Token": token }, body });
}

export function duration(seconds) {
  if (seconds < 0.0005) return "< 1 ms";
  if (seconds < 1) return `${(seconds * 1000).toFixed(0)} ms`;
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

/** Says something that is over in some seconds. */
export function mention(text) {
  say(text);
  hiding = setTimeout(() => say(""), 8000);
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

const GIVEN_UP = {
  401: "You are signed out. Load the page again to sign in.",
  404: "This is gone, or no longer for you to see. Load the page again.",
};
const SOONEST_MS = 1000;
const LATEST_MS = 30000;

/** The status that a stream is answered with. A browser tells scripts only that there was none to follow. */
async function statusOf(address) {
  const leaving = new AbortController();
  try {
    return (await fetch(address, { signal: leaving.signal })).status;
  } catch {
    return 0;
  } finally {
    leaving.abort();
  }
}

/**
 * Follows a stream of events until one of the kind "ended". A connection that is lost is opened again where it was, and
 * the page says so. A page that nobody sees lets go of its stream: a browser has six connections for all its pages.
 * @param {Object<string, function(any): void>} handlers by kind of event
 */
export function follow(address, handlers) {
  let source;
  let again;
  let last = "";
  let lost = false;
  let over = false;
  let pause = SOONEST_MS;

  function place() {
    const there = new URL(address, location.href);
    if (last) there.searchParams.set("from", last);
    return there;
  }

  function letGo() {
    clearTimeout(again);
    source?.close();
    source = undefined;
  }

  function close() {
    over = true;
    letGo();
    document.removeEventListener("visibilitychange", look);
  }

  async function refused() {
    letGo();
    const status = await statusOf(place());
    if (over) return;
    if (status in GIVEN_UP) {
      say(GIVEN_UP[status]);
      close();
      return;
    }
    clearTimeout(again);
    again = setTimeout(look, pause);
    pause = Math.min(pause * 2, LATEST_MS);
  }

  function open() {
    const opened = new EventSource(place());
    source = opened;
    opened.onopen = () => {
      if (lost) say("Connected again. Nothing was missed.", true);
      lost = false;
      pause = SOONEST_MS;
    };
    opened.onerror = () => {
      lost = true;
      say("Reconnecting…");
      if (opened.readyState === EventSource.CLOSED) refused();
    };
    for (const [kind, handle] of Object.entries(handlers)) {
      opened.addEventListener(kind, (event) => {
        last = event.lastEventId || last;
        if (kind === "ended") close();
        handle(JSON.parse(event.data));
      });
    }
  }

  function look() {
    if (document.hidden) letGo();
    else if (!source) open();
  }

  document.addEventListener("visibilitychange", look);
  look();
  return { close };
}
