// A name is in pieces, between which it may be broken.
function piecesFrom(piece) {
  const pieces = [piece];
  while (pieces.at(-1).nextSibling?.nodeName === "WBR") pieces.push(pieces.at(-1).nextSibling.nextSibling);
  return pieces;
}
function markIn(pieces, ranges) {
  const whole = pieces.map((piece) => piece.data).join(""), text = whole.toLowerCase();
  if (text.length !== whole.length) return;
  const place = (at, piece = 0) => (at > pieces[piece].length ? place(at - pieces[piece].length, piece + 1) : [pieces[piece], at]);
  for (const word of words) {
    for (let at = text.indexOf(word); at >= 0 && ranges.length < 2000; at = text.indexOf(word, at + word.length)) {
      const range = new Range();
      range.setStart(...place(at));
      range.setEnd(...place(at + word.length));
      ranges.push(range);
    }
  }
}
// Marks what was searched for, where the browser can do so without touching the page.
function mark() {
  if (!window.CSS || !CSS.highlights) return;
  CSS.highlights.delete("found");
  if (!words.length) return;
  for (const folded of main.querySelectorAll(".clamped")) {
    const text = folded.textContent.toLowerCase();
    if (words.some((word) => text.includes(word))) unfold(folded);
  }
  const ranges = [];
  for (const root of [tree, main]) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT, (node) =>
      node.previousSibling?.nodeName === "WBR" ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    while (walker.nextNode() && ranges.length < 2000) markIn(piecesFrom(walker.currentNode), ranges);
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

const addressed = () => addressIn(location.hash);
function show() {
  const { test, ordinal } = addressed();
  document.body.dataset.view = test ? "main" : "side";
  for (const row of rows.values()) row.removeAttribute("aria-current");
  if (!test) { drawAll(); return; }
  drawTest(test, ordinal);
  const row = rows.get(test);
  if (row) {
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
  }
}
function searched() {
  words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  filter();
  drawTree();
  const calls = shown && matching.get(shown);
  const isOther = calls && (calls.length !== drawn.length || calls.some((call, place) => call !== drawn[place]));
  if (isOther) drawTest(shown, 0);
  else mark();
}
function clearSearch() {
  search.value = "";
  outcome = "";
  drawOutcomes();
  searched();
}
function drawOutcomes() {
  const counts = new Map();
  for (const call of data.calls) counts.set(call.outcome, (counts.get(call.outcome) || 0) + 1);
  const failed = tests.filter((test) => test.result === "failed").length;
  if (counts.size < 2 && !failed) return;
  byId("outcomes").replaceChildren(...[...(failed ? [["failed", failed]] : []), ...counts].map(([name, count]) => {
    const chip = button("", `${name === "failed" ? "failed tests" : name} ${number.format(count)}`, () => {
      outcome = outcome === name ? "" : name;
      drawOutcomes();
      searched();
    });
    chip.setAttribute("aria-pressed", String(outcome === name));
    return chip;
  }));
}
let pause = 0;
search.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(searched, 70); });

// Light and dark: as the system has it, until the reader chooses.
const isDark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const theme = byId("theme");
function drawTheme() { theme.textContent = isDark() ? "Light mode" : "Dark mode"; }
function turnTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("inference-recorder-theme", document.documentElement.dataset.theme); } catch { /* a page from disk may have no storage */ }
  drawTheme();
}
try {
  const chosen = localStorage.getItem("inference-recorder-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* as above */ }
theme.addEventListener("click", turnTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTheme);

function step(by) {
  const order = [...matching.keys()];
  if (!order.length) return;
  // By the address, which changes at once; what is shown follows it, and keys that are held down are faster.
  const current = addressed().test;
  const at = current ? order.indexOf(current) : by > 0 ? -1 : order.length;
  const next = order[Math.min(order.length - 1, Math.max(0, at + by))];
  location.hash = hrefOf(next);
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === search) {
    if (event.key === "Escape") { clearSearch(); search.blur(); }
    if (event.key === "Enter") { clearTimeout(pause); searched(); const first = matching.keys().next().value; if (first) location.hash = hrefOf(first); }
    return;
  }
  const links = () => [...tree.querySelectorAll("summary, a, button")].filter((one) => one.checkVisibility ? one.checkVisibility() : true);
  if (event.key === "/") { event.preventDefault(); if (document.body.dataset.view === "main" && window.innerWidth <= 760) location.hash = ""; search.focus(); search.select(); }
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "t") turnTheme();
  else if (event.key === "Escape" && (words.length || outcome)) clearSearch();
  else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && tree.contains(document.activeElement)) {
    event.preventDefault();
    const all = links(), at = all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    if (all[at]) all[at].focus();
  }
});
window.addEventListener("hashchange", show);
// Not by its address, which names the test that is shown.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
drawTheme();
drawOutcomes();
drawTree();
show();
