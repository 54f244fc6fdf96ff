// What is beside the tree: a test, or all at a glance.
let watcher = null, drawn = [];
function drawTest(test, ordinal) {
  shown = test;
  const calls = matching.get(test) || test.calls, hidden = test.calls.length - calls.length;
  drawn = calls;
  const tokens = calls.reduce((sum, { tokens: one }) => (one ? [sum[0] + one[0], sum[1] + one[1]] : sum), [0, 0]);
  const seconds = calls.reduce((sum, call) => sum + (call.seconds || 0), 0);
  const list = el("div", ""), link = el("a", "", breakable(test.isTest ? idOf(test) : test.file));
  link.href = hrefOf(test);
  const sheet = el("div", "sheet", backLink(),
    el("p", "crumb", link),
    el("h1", "", breakable(test.name), test.params && el("span", "params", test.params)),
    el("div", "facts", RESULTS[test.result] && el("span", `tag ${test.result}`, RESULTS[test.result]),
      el("span", "", el("b", "", number.format(calls.length)), calls.length === 1 ? " call" : " calls"),
      tokens[0] + tokens[1] > 0 && el("span", "", el("b", "", number.format(tokens[0])), " tokens in, ", el("b", "", number.format(tokens[1])), " out"),
      seconds > 0 && el("span", "", el("b", "", duration(seconds))),
      test.trouble > 0 && !test.isUnreadable && el("span", "bad", `${number.format(test.trouble)} missed`)),
    hidden > 0 && el("p", "cutoff", `The search hides ${many(hidden, "other call")} here. `, button("quiet", "Show all", () => { clearSearch(); show(); })),
    ganttNode(calls), list);
  main.replaceChildren(sheet);
  if (watcher) watcher.disconnect();
  let from = 0;
  const next = (upTo) => {
    for (; from < Math.min(upTo, calls.length); from += 1) list.append(callNode(calls[from], from > 0 ? calls[from - 1].record : null));
    mark();
  };
  next(Math.max(BATCH, ordinal));
  if (from < calls.length) {
    const rest = el("p", "empty", "More follow");
    sheet.append(rest);
    watcher = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return;
      next(from + BATCH);
      if (from >= calls.length) { watcher.disconnect(); rest.remove(); }
      else { watcher.unobserve(rest); watcher.observe(rest); }
    }, { root: null, rootMargin: "800px" });
    watcher.observe(rest);
  }
  const target = ordinal > 0 && byId(`call-${ordinal}`);
  if (target) target.scrollIntoView();
  else { main.scrollTop = 0; if (window.innerWidth <= 760) window.scrollTo(0, 0); }
  document.title = `${test.name} – Recordings`;
}
function backLink() {
  const back = el("a", "back", "← All tests");
  back.href = "#";
  return back;
}
function tableNode(title, head, key, isEmptyShown) {
  const sums = new Map();
  for (const call of data.calls) {
    const name = key(call);
    if (!name && !isEmptyShown) continue;
    const sum = sums.get(name) || [0, 0, 0];
    sum[0] += 1;
    if (call.tokens) { sum[1] += call.tokens[0]; sum[2] += call.tokens[1]; }
    sums.set(name, sum);
  }
  if (!sums.size) return null;
  const sorted = [...sums].sort((a, b) => b[1][0] - a[1][0]), top = sorted[0][1][0];
  const table = el("table", "", el("thead", "", el("tr", "", [head, "Calls", "Tokens in", "Tokens out"].map((one) => el("th", "", one)))),
    el("tbody", "", sorted.slice(0, 25).map(([name, sum]) => {
      const share = el("div", "share");
      share.style.width = `${(sum[0] / top) * 100}%`;
      return el("tr", "", el("td", "", name || "(none named)", share), sum.map((one) => el("td", "", one ? number.format(one) : "–")));
    })));
  return [el("h2", "title", title), table];
}
function drawAll() {
  shown = null;
  if (watcher) watcher.disconnect();
  const total = data.calls.reduce((sum, { tokens }) => (tokens ? [sum[0] + tokens[0], sum[1] + tokens[1]] : sum), [0, 0]);
  const counts = new Map();
  for (const call of data.calls) counts.set(call.outcome, (counts.get(call.outcome) || 0) + 1);
  const figure = (count, label, style = "") => el("div", "", el("dt", "", label), el("dd", style, number.format(count)));
  const isRun = !counts.has("stored") && [...counts.keys()].some((one) => one !== "unreadable");
  const outcomes = Object.keys(OUTCOMES).filter((one) => counts.has(one))
    .map((one) => figure(counts.get(one), OUTCOMES[one], one === "missed" || one === "unreadable" ? "bad" : ""));
  const results = Object.keys(RESULTS).map((name) => [name, tests.filter((test) => test.result === name)]).filter(([, ended]) => ended.length);
  const listed = (title, some) => some.length > 0 && [el("h2", "title bad", title), el("ul", `${title.toLowerCase()}-list`, some.slice(0, 50).map((test) => {
    const link = el("a", "", `${test.file}${test.isTest ? "::" : ", "}${test.name}${test.params ? `[${test.params}]` : ""}`);
    link.href = hrefOf(test);
    return el("li", "", link);
  }))];
  const written = new Date(data.written * 1000);
  main.replaceChildren(el("div", "sheet", backLink(),
    el("p", "crumb", breakable(data.directory), data.directories > 1 && `, ${data.directories} directories`),
    el("h1", "", isRun ? "What the tests asked" : "What is recorded"),
    el("p", "soft", `Written ${written.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" })}.`,
      data.recordings.length > 0 && ` Texts longer than ${number.format(data.longest)} characters are cut and say so.`),
    el("dl", "figures", figure(tests.filter((test) => test.isTest).length, "tests"),
      results.map(([name, ended]) => figure(ended.length, RESULTS[name], name === "failed" ? "bad" : "")), isRun ? outcomes : [figure(counts.get("stored") || 0, "recordings"), outcomes],
      figure(total[0], "tokens in"), figure(total[1], "tokens out")),
    listed("Failed", tests.filter((test) => test.result === "failed")),
    listed("Missed", tests.filter((test) => test.trouble && !test.isUnreadable)),
    tableNode("By model", "Model", (call) => call.model, false),
    tableNode("By endpoint", "Endpoint", (call) => call.endpoint, false),
    data.calls.length === 0 && el("p", "empty", "There are no recordings here.")));
  document.title = "Recordings";
  main.scrollTop = 0;
}
