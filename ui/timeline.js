// A table of anything that runs over time steps, and a scrubber. Moving through time stays in the browser: nothing is
// ever sent to the server. The data is what Timeline.payload in ui/timeline.py returns.

const PLAY_MS = 500;
const SHADES = 256;
const MANY_LANES = 24; // with more of them in a group only some names have room
const SHORT = 14; // letters of a title that gets room beside the cells, so that no outline crosses it
const EDGE = 4; // pixels beyond an end that are no more than a margin
const HINT = "Point at a cell, tap it, or use arrow keys.";

const timelines = new WeakMap(); // root element -> Timeline: a rerun updates the table that stands there
const groups = new Map(); // name -> Set of the timelines that move together
const palettes = new Map(); // comma-separated colours -> the shades between them
const times = (globalThis.rnnLabTimes ??= new Map()); // group and length -> the time step: pictures move along

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".timeline");
  if (!timelines.has(root)) timelines.set(root, new Timeline(root));
  const timeline = timelines.get(root);
  const render = timeline.show(data);
  // Streamlit may clean up after a render that a newer one has overtaken: only the newest may close the timeline.
  return () => render === timeline.renders && timeline.close();
}

class Timeline {
  constructor(root) {
    this.root = root;
    this.renders = 0;
    this.chosen = null; // the lane whose value the arrow keys tell
    this.viewed = null; // the time step to have in view; null: the current one
    const parts = ["scroll", "grid", "cursor", "controls", "play", "range"];
    const texts = ["position", "sentence", "sizer", "legend", "readout"];
    for (const name of [...parts, ...texts]) this[name] = root.querySelector(`.${name}`);
    // Hidden tabs have no size, and phones turn: place the outline whenever the table gets its size.
    this.observer = new ResizeObserver(() => this.place(true));
    this.scroll.addEventListener("scroll", () => this.hint());
    this.range.addEventListener("input", () => this.go(this.range.valueAsNumber));
    this.play.addEventListener("click", () => this.togglePlay());
    this.root.addEventListener("keydown", (event) => this.press(event));
    this.grid.addEventListener("click", (event) => {
      const cell = event.target.closest("[data-t]");
      if (cell) this.go(Number(cell.dataset.t));
      this.point(event); // a finger that taps does not move
    });
    this.grid.addEventListener("pointermove", (event) => this.point(event));
    this.grid.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse") put(this.readout, HINT); // a finger leaves at once: keep what it has read
    });
  }

  // Draws new data, or the old in a new theme. Returns the number of this render.
  show(data) {
    const rebuilt = shapeOf(data) !== (this.data && shapeOf(this.data));
    const resized = data.steps.length !== this.data?.steps.length;
    const reveals = rebuilt || data.view !== this.data.view;
    this.leaveGroup();
    this.data = data;
    this.lanes = data.groups.flatMap((group) => group.lanes);
    this.spoken = spokenNames(data.groups);
    if (rebuilt) this.build();
    if (rebuilt) this.chosen = null;
    this.fill();
    if (resized) this.pause();
    if (resized) this.step = this.peers()[0]?.step ?? data.start;
    this.joinGroup();
    if (reveals) this.viewed = data.view;
    this.move(this.step, reveals);
    if (this.chosen !== null) this.read(this.chosen, this.step);
    this.observer.observe(this.grid);
    return ++this.renders;
  }

  close() {
    this.pause();
    this.observer.disconnect();
    this.leaveGroup();
  }

  // Timelines of one group and one length move together -------------------------------------------------------------

  peers() {
    const others = [...(groups.get(this.data.group) ?? [])].filter((other) => other !== this);
    return others.filter((other) => other.data.steps.length === this.data.steps.length);
  }

  joinGroup() {
    const { group } = this.data;
    if (group !== null) groups.set(group, (groups.get(group) ?? new Set()).add(this));
  }

  leaveGroup() {
    groups.get(this.data?.group)?.delete(this);
  }

  // The table: `build` makes its elements, `fill` gives them their content --------------------------------------------

  build() {
    const { steps, direction, groups: titled } = this.data;
    const down = direction === "down";
    this.caption = make("caption");
    this.corner = make("th", "corner");
    this.titles = titled.map(() => make("th", "title", [make("span")]));
    this.head = steps.map((_, t) => cell("th", "step", { t }));
    this.names = this.lanes.map((lane) => make("th", `name ${lane.kind}`));
    this.cells = this.lanes.map((lane, i) => steps.map((_, t) => cell("td", lane.kind, { t, lane: i })));
    this.columns = steps.map((_, t) => [this.head[t], ...this.cells.map((cells) => cells[t])]);
    for (const th of this.head) th.scope = down ? "row" : "col";
    for (const th of this.names) th.scope = down ? "col" : "row";
    this.table = make("table", down ? "down" : "across", [this.caption, ...(down ? this.down() : this.across())]);
    this.grid.replaceChildren(this.table, this.cursor);
  }

  // Time steps are columns, a lane is a row, a group is a body of rows.
  across() {
    const { steps, direction, groups: titled } = this.data;
    const seen = (cells) => (direction === "left" ? [...cells].reverse() : cells);
    const lanes = this.lanes.map((lane, i) => {
      const rule = lane.kind === "rule" && spanning(make("td", "rule"), steps.length + 1);
      return make("tr", "", rule ? [rule] : [this.names[i], ...seen(this.cells[i])]);
    });
    const bodies = titled.map((group, g) => {
      const title = make("tr", "", [spanning(this.titles[g], steps.length + 1, "rowgroup")]);
      const rows = lanes.splice(0, group.lanes.length);
      const body = make("tbody", rows.length > MANY_LANES ? "dense" : "", group.title ? [title, ...rows] : rows);
      body.style.setProperty("--heat-lanes", group.lanes.filter((lane) => lane.kind === "heat").length);
      return body;
    });
    const widths = ["names", ...steps.map(() => "cells")].map((name) => make("col", name));
    const head = make("tr", "", [this.corner, ...seen(this.head)]);
    return [make("colgroup", "", widths), make("thead", "", [head]), ...bodies];
  }

  // Time steps are rows, a lane is a column, and the first lane of a group keeps a distance.
  down() {
    const { groups: titled } = this.data;
    const widths = this.lanes.map((lane) => make("col", lane.kind === "image" ? "picture" : "cells"));
    titled.forEach((group, g) => {
      const first = this.lanes.indexOf(group.lanes[0]);
      spanning(this.titles[g], group.lanes.length, "colgroup");
      const cells = [widths[first], this.titles[g], this.names[first], ...this.cells[first]];
      for (const element of cells) element.classList.add("first");
    });
    const titles = make("tr", "", [make("td"), ...this.titles]);
    const names = make("tr", "", [this.corner, ...this.names]);
    const head = titled.some((group) => group.title) ? [titles, names] : [names];
    const rows = this.columns.map((cells) => make("tr", "", cells));
    const columns = make("colgroup", "", [make("col", "names"), ...widths]);
    return [columns, make("thead", "", head), make("tbody", "", rows)];
  }

  fill() {
    const { data } = this;
    const style = getComputedStyle(this.root); // read before anything is written, or the browser lays out twice
    const color = (name) => style.getPropertyValue(`--st-${name}`).trim();
    this.shades = data.scales.map((scale) => palette(color(`chart-${scale.palette}-colors`)));
    this.ink = palette(`${color("secondary-background-color")},${color("text-color")}`);
    put(this.caption, data.label);
    put(this.corner, data.axis);
    this.table.classList.toggle("upright", this.lanes.some((lane) => lane.kind === "heat" && lane.name.length > 1));
    data.groups.forEach((group, g) => put(this.titles[g].firstChild, group.title));
    data.steps.forEach((step, t) => put(this.head[t], step));
    this.lanes.forEach((lane, i) => {
      put(this.names[i], lane.name);
      this.names[i].title = lane.name; // it may be cut off
      if (lane.kind !== "rule") this[lane.kind](lane, this.cells[i]);
      this.cells[i].forEach((cell, t) => (cell.ariaLabel = this.value(lane, t)));
    });
    this.legend.replaceChildren(...data.scales.map(legend));
    this.forget();
    put(this.readout, HINT);
    this.fillControls();
    this.setSizes();
  }

  text(lane, cells) {
    cells.forEach((cell, t) => {
      put(cell, lane.texts[t]);
      cell.dataset.mark = lane.marks?.[t] ?? "";
      cell.classList.toggle("tile", Boolean(lane.tiles));
    });
  }

  heat(lane, cells) {
    const { low, high } = this.data.scales[lane.scale];
    cells.forEach((cell, t) => {
      if (lane.values[t] === null) {
        cell.style.backgroundColor = "";
        return;
      }
      const along = clamp((lane.values[t] - low) / (high - low), 1);
      const { fill, ink } = this.shades[lane.scale][Math.round(along * (SHADES - 1))];
      cell.style.backgroundColor = fill;
      if (!lane.texts) return;
      cell.style.color = ink;
      put(cell, lane.texts[t]);
    });
  }

  // One picture behind all cells of the lane, of which each shows its own row.
  image(lane, cells) {
    const url = `url(${picture(lane.pixels, this.ink)})`;
    cells.forEach((cell, t) => {
      cell.style.backgroundImage = url;
      cell.style.backgroundSize = `100% ${100 * cells.length}%`;
      cell.style.backgroundPositionY = `${(100 * t) / Math.max(1, cells.length - 1)}%`;
    });
  }

  fillControls() {
    const { label, axis, steps, direction, notes } = this.data;
    this.scroll.ariaLabel = label;
    this.range.ariaLabel = `${label}: ${axis}`;
    this.range.max = steps.length - 1;
    this.range.dir = direction === "left" ? "rtl" : "ltr";
    this.controls.hidden = steps.length === 1;
    // The longest note, unseen, keeps the room that the others need, so that nothing below it jumps.
    put(this.sizer, notes.reduce((a, b) => (b.length > a.length ? b : a), "") + this.where(steps.length - 1));
  }

  // What the style sheet works out the sizes of the cells from.
  setSizes() {
    const { steps, axis, direction, groups: titled } = this.data;
    const images = this.lanes.filter((lane) => lane.kind === "image");
    const titles = titled.map((group) => group.title).filter((title) => title.length <= SHORT);
    const names = [axis, ...(direction === "down" ? steps : [...this.lanes.map((lane) => lane.name), ...titles])];
    const sizes = {
      steps: steps.length,
      lanes: this.lanes.length - images.length,
      pixels: images.reduce((sum, lane) => sum + lane.pixels[0].length, 0),
      groups: titled.length,
      letters: Math.max(...names.map((name) => name.length)),
    };
    const style = Object.entries(sizes).map(([name, size]) => `--${name}: ${size}`).join("; ");
    // To set them again, even unchanged, would lay out every cell again.
    if (style !== this.root.getAttribute("style")) this.root.setAttribute("style", style);
    this.root.classList.toggle("vertical", direction === "down");
    this.root.classList.toggle("pictured", images.length > 0);
  }

  // Words -----------------------------------------------------------------------------------------------------------

  where(t) {
    return this.data.position.replace("{}", this.data.steps[t]);
  }

  value(lane, t, pixel = null) {
    if (lane.kind === "text") {
      const mark = lane.marks?.[t];
      return lane.texts[t] + (mark && mark !== "strong" ? ` (${mark})` : ""); // which only sets it off
    }
    if (lane.kind === "heat" && lane.values[t] === null) return "nothing yet";
    if (lane.kind === "heat") return number(lane.values[t], this.data.scales[lane.scale].percent);
    if (lane.kind === "rule") return "";
    const value = pixel === null ? Math.max(...lane.pixels[t]) : lane.pixels[t][pixel];
    return `${pixel === null ? "largest pixel" : `pixel ${pixel + 1}`} ${(value / 255).toFixed(2)}`;
  }

  // The cell under the pointer says its value, and for a picture the pixel's. Titles are set here and not in `fill`,
  // where they would cost more than all the rest.
  point(event) {
    const cell = event.target.closest("td[data-t]");
    if (!cell) return;
    const t = Number(cell.dataset.t);
    const i = Number(cell.dataset.lane);
    const width = this.lanes[i].pixels?.[t].length;
    this.read(i, t, width ? clamp(Math.floor((event.offsetX / cell.clientWidth) * width), width - 1) : null);
  }

  read(i, t, pixel = null) {
    const cell = this.cells[i][t];
    const where = this.where(t)[0].toLowerCase() + this.where(t).slice(1);
    const text = `${this.spoken[i]}, ${where}: ${this.value(this.lanes[i], t, pixel)}`;
    put(this.readout, text);
    if (this.pointed !== cell) this.forget();
    this.pointed = cell;
    cell.title = text;
    cell.classList.toggle("chosen", i === this.chosen);
  }

  forget() {
    this.pointed?.removeAttribute("title");
    this.pointed?.classList.remove("chosen");
  }

  // The lane above or below, or beside it, tells its value from now on.
  choose(by) {
    const lanes = this.lanes.flatMap((lane, i) => (lane.kind === "rule" ? [] : [i]));
    this.chosen = lanes[this.chosen === null ? 0 : clamp(lanes.indexOf(this.chosen) + by, lanes.length - 1)];
    this.read(this.chosen, this.step);
  }

  // Moving through time ---------------------------------------------------------------------------------------------

  // A person moves: whatever plays stops.
  go(step) {
    this.pause();
    for (const peer of this.peers()) peer.pause();
    this.lead(step);
    if (this.chosen !== null) this.read(this.chosen, this.step);
  }

  lead(step) {
    const last = this.data.steps.length - 1;
    for (const timeline of [this, ...this.peers()]) {
      timeline.viewed = null;
      timeline.move(clamp(step, last), true);
    }
  }

  move(step, reveal) {
    const { steps, notes } = this.data;
    this.step = step;
    this.columns.forEach((cells, t) => {
      // The first is the step's name. Who reads from the other end has read what is still to come for the others.
      cells.forEach((cell, i) => cell.classList.toggle("unread", t > step && !this.lanes[i - 1]?.backwards));
      if (t === step) this.head[t].ariaCurrent = "step";
      else this.head[t].removeAttribute("aria-current");
    });
    this.range.value = step;
    this.range.style.setProperty("--done", step / Math.max(1, steps.length - 1));
    this.range.setAttribute("aria-valuetext", this.where(step));
    put(this.position, this.where(step) + (notes.length ? ":" : ""));
    put(this.sentence, notes[step] ?? "");
    this.place(reveal);
    this.tell();
  }

  // Tells what else is on the page (ui/picture.js).
  tell() {
    const key = `${this.data.group}/${this.data.steps.length}`;
    if (this.data.group === null || times.get(key) === this.step) return; // or one of its peers has told it
    times.set(key, this.step);
    dispatchEvent(new Event("rnnlabtime"));
  }

  // Puts the outline around the current time step and, where the table scrolls, brings what is to be seen into view.
  place(reveal) {
    const { table, head } = this;
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = head[this.step];
    const across = this.data.direction !== "down";
    // Rows of an image are lower than their numbers are high: there the outline leaves the number outside.
    const left = table.offsetLeft + (across ? offsetLeft : offsetWidth);
    const top = table.offsetTop + (across ? 0 : offsetTop);
    const width = across ? offsetWidth : table.offsetWidth - offsetWidth;
    const height = across ? table.offsetHeight : offsetHeight;
    const box = { left, top, width, height };
    for (const side in box) this.cursor.style[side] = `${box[side]}px`;
    if (reveal && across) this.reveal(head[this.viewed ?? this.step]);
    this.hint();
  }

  // Scrolls to a column, with one on either side of it, so that one sees where time goes on.
  reveal({ offsetLeft, offsetWidth }) {
    const { table, scroll } = this;
    const left = table.offsetLeft + offsetLeft;
    const from = left - offsetWidth - this.corner.offsetWidth;
    const to = left + 2 * offsetWidth - scroll.clientWidth;
    scroll.scrollLeft = Math.max(to, Math.min(from, scroll.scrollLeft));
  }

  // Fades the ends beyond which there is more.
  hint() {
    const { scrollLeft, scrollWidth, clientWidth, classList } = this.scroll;
    classList.toggle("more-left", scrollLeft > EDGE);
    classList.toggle("more-right", scrollLeft + clientWidth < scrollWidth - EDGE);
  }

  togglePlay() {
    if (this.timer) return this.pause();
    const last = this.data.steps.length - 1;
    this.go(this.step === last ? 0 : this.step);
    this.timer = setInterval(() => {
      this.lead(this.step + 1);
      if (this.step >= this.data.steps.length - 1) this.pause();
    }, PLAY_MS);
    this.showPlay();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.showPlay();
  }

  showPlay() {
    this.play.classList.toggle("playing", this.timer !== null);
    this.play.ariaLabel = this.play.title = this.timer === null ? "Play through all time steps" : "Pause";
  }

  // Arrow keys move as the eye does: through time, which may run to the left, and from lane to lane.
  press(event) {
    const { direction, steps } = this.data;
    const right = direction === "left" ? -1 : 1;
    const across = [{ ArrowRight: right, ArrowLeft: -right }, { ArrowDown: 1, ArrowUp: -1 }];
    const [moves, choices] = direction === "down" ? across.reverse() : across;
    Object.assign(moves, { Home: -steps.length, End: steps.length });
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in moves) this.go(this.step + moves[event.key]);
    else if (event.key in choices) this.choose(choices[event.key]);
    else if (event.key === " " && event.target !== this.play) this.togglePlay();
    else return;
    event.preventDefault(); // or the page scrolls, and the range moves twice
  }
}

// Data sets of one shape share one table.
function shapeOf({ direction, steps, groups }) {
  const kinds = groups.map(({ title, lanes }) => [title !== "", lanes.map((lane) => [lane.kind, "texts" in lane])]);
  return JSON.stringify([direction, steps.length, kinds]);
}

// Lanes of one name, such as the same class in two networks, are told apart by their groups' titles.
function spokenNames(groups) {
  const names = groups.flatMap((group) => group.lanes.map((lane) => lane.name));
  const alone = (name) => names.indexOf(name) === names.lastIndexOf(name);
  const spoken = (title, name) => (alone(name) ? name : `${title} ${name}`.trim());
  return groups.flatMap(({ title, lanes }) => lanes.map(({ name }) => spoken(title, name)));
}

function clamp(value, high) {
  return Math.min(high, Math.max(0, value));
}

function number(value, percent) {
  if (percent && value >= 0.9995 && value < 1) return "over 99.9 %"; // as `percent` in ui/words.py
  const text = percent ? `${(100 * value).toFixed(1)} %` : value.toFixed(3);
  return text.replace(/^-(?=0\.0*( |$))/, "").replace("-", "−"); // -0.000 would look like a mistake
}

function legend({ meaning, palette, low, high, percent }) {
  const end = (value) => make("span", "", [percent ? `${100 * value} %` : String(value).replace("-", "−")]);
  return make("span", "scale", [meaning, end(low), make("span", `bar ${palette}`), end(high)]);
}

// The browser itself interpolates between colours of any notation: a strip of pixels is read back.
function palette(colors) {
  if (palettes.has(colors)) return palettes.get(colors);
  const context = canvas(SHADES, 1).getContext("2d", { willReadFrequently: true });
  const gradient = context.createLinearGradient(0.5, 0, SHADES - 0.5, 0);
  const stops = colors.split(/,(?![^(]*\))/);
  stops.forEach((color, i) => gradient.addColorStop(i / (stops.length - 1), color.trim()));
  context.fillStyle = gradient;
  context.fillRect(0, 0, SHADES, 1);
  const { data } = context.getImageData(0, 0, SHADES, 1);
  const shades = Array.from({ length: SHADES }, (_, i) => {
    const rgb = [...data.slice(4 * i, 4 * i + 3)];
    return { rgb, fill: `rgb(${rgb})`, ink: luminance(rgb) > 0.18 ? "#000" : "#fff" };
  });
  palettes.set(colors, shades);
  return shades;
}

// Relative luminance (WCAG 2): at 0.18 black and white text have the same contrast.
function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function picture(rows, ink) {
  const image = canvas(rows[0].length, rows.length);
  const pixels = rows.flat().flatMap((value) => [...ink[value].rgb, 255]);
  const data = new ImageData(Uint8ClampedArray.from(pixels), image.width, image.height);
  image.getContext("2d").putImageData(data, 0, 0);
  return image.toDataURL();
}

function canvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

function make(tag, className = "", children = []) {
  const element = Object.assign(document.createElement(tag), { className });
  element.append(...children);
  return element;
}

function cell(tag, className, dataset) {
  const element = make(tag, className);
  Object.assign(element.dataset, dataset);
  return element;
}

function spanning(element, count, scope = "") {
  element.colSpan = count;
  if (scope) element.scope = scope;
  return element;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
