// The tree: rows are made when their file is opened.
let shown = null;
const rows = new Map();
function testRow(test) {
  const calls = matching.get(test);
  const sign = RESULTS[test.result] && el("span", `result ${test.result}`, { passed: "✓", failed: "✗" }[test.result] || "–");
  if (sign) { sign.role = "img"; sign.ariaLabel = sign.title = RESULTS[test.result]; }
  const row = el("a", "", sign,
    el("span", "name", el("span", "", breakable(test.name)), test.params && [" ", el("i", "", test.params)]),
    test.trouble > 0 && el("span", "trouble", `${number.format(test.trouble)} ${test.isUnreadable ? "unreadable" : "missed"}`),
    calls.length > 1 && el("span", "count", number.format(calls.length)));
  row.href = hrefOf(test);
  row.title = test.params ? `${test.name}[${test.params}]` : test.name;
  const count = row.querySelector(".count");
  if (count) count.setAttribute("aria-label", many(calls.length, "call"));
  if (test === shown) row.setAttribute("aria-current", "true");
  rows.set(test, row);
  return el("li", "", row);
}
function rowsOf(group) {
  const list = el("ul", "");
  let from = 0;
  const next = () => {
    const more = list.querySelector(".more");
    if (more) more.parentNode.remove();
    for (const test of group.slice(from, from + MOST_ROWS)) list.append(testRow(test));
    from += MOST_ROWS;
    if (from < group.length) list.append(el("li", "", button("quiet more", `Show ${number.format(group.length - from)} more`, next)));
  };
  next();
  return list;
}
function drawTree() {
  rows.clear();
  const groups = new Map();
  for (const test of matching.keys()) {
    if (!groups.has(test.file)) groups.set(test.file, []);
    groups.get(test.file).push(test);
  }
  let budget = OPEN_UP_TO;
  tree.replaceChildren(...[...groups].map(([file, group], place) => {
    const slash = file.lastIndexOf("/") + 1;
    const label = [
      el("span", "path", slash > 0 && el("span", "folder", breakable(file.slice(0, slash))), el("b", "", breakable(file.slice(slash)))),
      group.length > 1 && el("span", "count", number.format(group.length)),
    ];
    const isOpen = place === 0 || budget >= group.length || group.some((test) => test.trouble || test === shown);
    budget -= group.length;
    return details("", label, () => rowsOf(group), isOpen && (budget > -2000 || place === 0));
  }));
  const calls = [...matching.values()].reduce((sum, one) => sum + one.length, 0);
  const inTests = [...matching.keys()].filter((test) => test.isTest).length;
  const counted = inTests ? `${many(calls, "call")} in ${many(inTests, "test")}` : many(calls, "call");
  found.textContent = !words.length && !outcome ? counted : calls ? `Found ${counted}` : "Nothing found";
}
