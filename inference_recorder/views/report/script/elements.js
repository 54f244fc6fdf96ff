// Elements, and numbers as people read them. What comes from recordings is text (append, textContent), never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const BATCH = 20, MOST_ROWS = 200, OPEN_UP_TO = 120, LONG = 1400;
const ASKING = new Set(["user", "prompt", "input"]);
const byId = (id) => document.getElementById(id);
const main = byId("main"), tree = byId("tree"), search = byId("search"), found = byId("found");

const number = new Intl.NumberFormat("en");
const many = (count, noun) => `${number.format(count)} ${noun}${count === 1 ? "" : "s"}`;
const duration = (seconds) => seconds < 1e-5 ? "under 0.01 ms" :
  seconds >= 60 ? `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  : seconds >= 1 ? `${seconds.toFixed(seconds >= 10 ? 1 : 2)} s`
  : `${(seconds * 1000).toFixed(seconds >= 0.01 ? 0 : seconds >= 0.001 ? 1 : 2)} ms`;
const bytes = (count) => count < 1000 ? `${count} bytes` : count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;

function el(tag, className, ...inside) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...inside.flat(9).filter((one) => one !== null && one !== undefined && one !== false && one !== ""));
  return made;
}
// Long names are rather broken after an underscore or a slash than in a word.
const breakable = (name) => name.split(/(?<=[_/:])/).flatMap((piece, place) => (place ? [document.createElement("wbr"), piece] : [piece]));
function button(className, text, onClick) {
  const made = el("button", className, text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}
function details(className, label, fill, isOpen = false) {
  const made = el("details", className, el("summary", "", label));
  let isFilled = false;
  const open = () => { if (!isFilled) { isFilled = true; made.append(...[fill()].flat()); } };
  made.addEventListener("toggle", () => { if (made.open && !isFilled) { open(); mark(); } });
  if (isOpen) { open(); made.open = true; }
  return made;
}
