// Pictures of charts: the description of the mark that one points at, and the whole screen. Nothing is sent to the
// server but a click on the button for more. The data is what `show` in ui/picture.py passes.

const REACH = 14; // pixels from a mark that count as pointing at it
const GAP = 14; // pixels between the pointer and the tip
const ROOMY = 560; // pixels of its width from which on a figure has room for the wide picture
const MARKS = "[role='graphics-symbol']:not([aria-roledescription='axis'], [aria-roledescription='legend'])";

const times = (globalThis.rnnLabTimes ??= new Map()); // group and length of timelines -> their time step

const figures = new Set(); // those that move along
addEventListener("rnnlabtime", () => {
  for (const figure of figures) figure.isConnected ? follow(figure) : figures.delete(figure);
});

export default function ({ data, parentElement, setTriggerValue }) {
  const figure = parentElement.querySelector("figure");
  figure.setAttribute("aria-label", data.description);
  figure.data = data;
  if (data.time) figures.add(figure);
  if (figure.observer) draw(figure);
  else (figure.observer = new ResizeObserver(() => draw(figure))).observe(figure); // which draws it at once, too
  const tip = figure.querySelector(".tip");
  figure.onpointermove = (event) => point(figure, tip, event);
  figure.onpointerdown = figure.onpointermove; // a finger that taps does not move
  figure.onpointerleave = ({ pointerType }) => {
    if (pointerType === "mouse") tip.hidden = true; // a finger leaves at once: keep what it has read
  };
  const more = figure.querySelector(".more");
  more.hidden = !data.more;
  more.querySelector("span").textContent = data.more;
  more.setAttribute("aria-label", `${data.more}: ${data.description}`);
  more.onclick = () => setTriggerValue("more", true);
  const enlarge = figure.querySelector(".enlarge");
  enlarge.hidden = !document.fullscreenEnabled;
  enlarge.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen());
}

// Puts the picture on the page in the size that there is room for; with both there a page takes longer to open.
function draw(figure) {
  const size = figure.data.wide && figure.clientWidth > ROOMY ? "wide" : "narrow";
  const svg = figure.data[size];
  if (figure.svg === svg) return;
  const place = figure.querySelector(".picture");
  place.className = `picture ${size}`;
  place.innerHTML = figure.svg = svg;
  figure.querySelector(".tip").hidden = true; // it tells a value of the former picture
  follow(figure);
}

// Marks the time step at which the timelines of its group are.
function follow(figure) {
  const step = times.get(figure.data.time) ?? Infinity;
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
