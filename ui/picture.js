// Pictures of charts: the description of the mark that one points at, and the whole screen. Nothing is ever sent to the
// server. The data is what `show` in ui/picture.py passes.

const REACH = 14; // pixels from a mark that count as pointing at it
const GAP = 14; // pixels between the pointer and the tip
const MARKS = "[role='graphics-symbol']:not([aria-roledescription='axis'], [aria-roledescription='legend'])";

const times = (globalThis.rnnLabTimes ??= new Map()); // group and length of timelines -> their time step

const figures = new Set(); // those that move along
addEventListener("rnnlabtime", () => {
  for (const figure of figures) figure.isConnected ? follow(figure) : figures.delete(figure);
});

export default function ({ data, parentElement }) {
  const figure = parentElement.querySelector("figure");
  figure.setAttribute("aria-label", data.description);
  for (const size of ["wide", "narrow"]) put(figure.querySelector(`.${size}`), data[size]);
  figure.time = data.time;
  if (data.time) figures.add(figure);
  follow(figure);
  const tip = figure.querySelector(".tip");
  figure.onpointermove = (event) => point(figure, tip, event);
  figure.onpointerdown = figure.onpointermove; // a finger that taps does not move
  figure.onpointerleave = ({ pointerType }) => {
    if (pointerType === "mouse") tip.hidden = true; // a finger leaves at once: keep what it has read
  };
  const button = figure.querySelector(".enlarge");
  button.hidden = !document.fullscreenEnabled;
  button.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen());
}

function put(place, svg) {
  if (place.svg === svg) return;
  place.innerHTML = svg;
  place.svg = svg;
  place.parentElement.querySelector(".tip").hidden = true; // it tells a value of the former picture
}

// Marks the time step at which the timelines of its group are.
function follow(figure) {
  const step = times.get(figure.time) ?? Infinity;
  for (const mark of figure.querySelectorAll("[data-t]")) {
    mark.classList.toggle("later", Number(mark.dataset.t) > step);
    mark.classList.toggle("now", Number(mark.dataset.t) === step);
  }
}

// Says what the nearest mark within reach is.
function point(figure, tip, { clientX: x, clientY: y }) {
  const mark = nearest(figure.querySelectorAll(MARKS), x, y);
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.getAttribute("aria-label");
  const frame = figure.getBoundingClientRect();
  const left = x - frame.left > frame.width / 2 ? x - frame.left - tip.offsetWidth - GAP : x - frame.left + GAP;
  tip.style.left = `${Math.max(0, left)}px`;
  const above = document.fullscreenElement && y > frame.height / 2; // nothing below the screen can be seen
  tip.style.top = `${y - frame.top + (above ? -tip.offsetHeight - GAP : GAP)}px`;
}

function nearest(marks, x, y) {
  let [found, least] = [null, REACH];
  for (const mark of marks) {
    const { left, right, top, bottom } = mark.getBoundingClientRect();
    const away = Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
    if (away < least) [found, least] = [mark, away];
  }
  return found;
}
