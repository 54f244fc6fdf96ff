// A conversation.
function clampable(node, length) {
  if (length <= LONG) return [node];
  node.classList.add("clamped");
  return [node, button("quiet unclamp", `Show all ${number.format(length)} characters`, () => unfold(node))];
}
function unfold(node) {
  node.classList.remove("clamped");
  node.nextElementSibling.remove();
}
function cutOff(whole) {
  return whole > 0 && el("p", "cutoff", `Cut here: the recording has ${number.format(whole)} characters.`);
}
function partNodes([kind, text, name, id, whole]) {
  if (kind === "call") {
    return el("div", "", el("div", "called", el("b", "", name || "call"), id && el("span", "id", id)),
      clampable(el("pre", "block", prettyArguments(text)), text.length), cutOff(whole));
  }
  if (kind === "result") {
    return el("div", "", (name || id) && el("div", "called", el("b", "", name || ""), id && el("span", "id", id)),
      clampable(el("pre", "block", prettyArguments(text)), text.length), cutOff(whole));
  }
  if (kind === "attachment") return el("span", "thing", text);
  if (kind === "json") return el("div", "", clampable(el("pre", "block", text), text.length), cutOff(whole));
  const style = kind === "reasoning" ? "text think" : kind === "refusal" ? "text refused" : "text";
  return el("div", "", clampable(el("div", style, text), text.length), cutOff(whole));
}
function prettyArguments(text) {
  if (text.length > 5000) return text;
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && text.length > 60 ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}
function turnNode([role, note, parts], isAnswer, isFirst) {
  const style = role === "tool" || role === "function" ? "tool" : ASKING.has(role) ? "ask" : isAnswer ? "answer" : "";
  return el("div", `turn ${style}${isFirst ? " first" : ""}`,
    el("div", "who", role, note && el("small", "", note)),
    el("div", "what", parts.length ? parts.map(partNodes) : el("span", "soft", "(nothing)")));
}
function streamNode(call) {
  const chunks = call.record && call.record.chunks;
  if (!chunks || !chunks.count) return null;
  const bars = chunks.bars, top = Math.max(1, ...bars);
  const offsets = call.offsets && call.offsets.length === bars.length && call.offsets.every((one) => one !== null) ? call.offsets : null;
  const end = offsets ? Math.max(call.seconds || 0, ...offsets) || 1 : 1;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 1000 34");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const shape = (name, values, title) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, String(value));
    if (title) {
      const hint = document.createElementNS("http://www.w3.org/2000/svg", "title");
      hint.textContent = title;
      made.append(hint);
    }
    svg.append(made);
  };
  shape("line", { x1: 0, x2: 1000, y1: 33.5, y2: 33.5 });
  const slot = 1000 / bars.length, width = offsets ? 3 : Math.max(1.2, Math.min(slot * 0.7, 12));
  bars.forEach((size, place) => {
    const height = Math.max(2, (size / top) * 32);
    const first = place * chunks.step + 1, last = Math.min(chunks.count, first + chunks.step - 1);
    const which = first === last ? `chunk ${first}` : `chunks ${first} to ${last}`;
    const when = offsets ? `, after ${duration(offsets[place])}` : "";
    shape("rect", { x: offsets ? (offsets[place] / end) * 997 : place * slot, y: 33 - height, width, height, rx: 0.5 },
      `${which}${when}: ${many(size, "character")}`);
  });
  const shared = chunks.step > 1 ? `, ${chunks.step} to a bar` : "";
  const description = offsets
    ? `${many(chunks.count, "chunk")} by time${shared}: the first after ${duration(offsets[0])}`
    : `${many(chunks.count, "chunk")} by order${shared}; the times were not recorded`;
  svg.setAttribute("aria-label", description);
  const right = offsets ? `the last after ${duration(Math.max(...offsets))}` : `height: characters, at most ${number.format(top)}`;
  return el("figure", "stream", svg, el("figcaption", "", el("span", "", description), el("span", "", right)));
}
function explanationNode(text) {
  const block = el("pre", "explanation");
  for (const line of text.split("\n")) {
    const start = line.trimStart();
    const style = start === "- the recording, + this request:" ? "" : /^-(?!--)/.test(start) ? "gone" : /^\+(?!\+\+)/.test(start) ? "come" : "";
    block.append(style ? el("span", style, line) : line, "\n");
  }
  return block;
}
function callFacts(call) {
  const record = call.record;
  const facts = [];
  if (call.tokens) facts.push([el("b", "", number.format(call.tokens[0])), " tokens in, ", el("b", "", number.format(call.tokens[1])), " out"]);
  if (record && record.usage && record.usage[2]) facts.push([`${number.format(record.usage[2])} cached`]);
  if (record && record.usage && record.usage[3]) facts.push([`${number.format(record.usage[3])} for reasoning`]);
  if (call.seconds) facts.push([duration(call.seconds)]);
  return el("div", "facts", facts.map((one) => el("span", "", one)));
}
// How many of the messages are those of the call before and its answer: an agent sends them all again.
function repeated(asked, before) {
  const most = asked.length - 1;
  let same = 0;
  while (same < most && asked[same] === before.asked[same]) same += 1;
  if (same === before.asked.length && before.answered.length) {
    const parts = (place) => JSON.stringify(data.turns[place][2]);
    if (same < most && parts(asked[same]) === parts(before.answered[0])) same += 1;
  }
  return same < 2 ? 0 : same;
}
const OUTCOMES = { replayed: "replayed", recorded: "recorded", missed: "missed", dropped: "failed, not recorded", live: "sent, not recorded", unreadable: "cannot be read" };
function callNode(call, before) {
  const record = call.record;
  const link = el("a", "no", number.format(call.ordinal));
  link.href = hrefOf(shown, call.ordinal);
  link.setAttribute("aria-label", `Call ${call.ordinal}`);
  const node = el("article", "call",
    el("header", "call-head",
      el("h2", "", link, call.model || (call.endpoint ? "" : "Recording"), el("span", "endpoint", call.endpoint || "")),
      OUTCOMES[call.outcome] && el("span", `tag ${call.outcome}`, OUTCOMES[call.outcome]), callFacts(call)));
  node.id = `call-${call.ordinal}`;
  if (call.explanation) node.append(explanationNode(call.explanation));
  if (!record) {
    if (!call.explanation) node.append(el("p", "soft", call.outcome === "live" ? "It went past the recorder; nothing was kept." : "There is no recording of it."));
    return node;
  }
  if (record.problem) {
    node.append(el("pre", "failure", record.problem));
    return node;
  }
  const asked = record.asked;
  const same = before && before.asked ? repeated(asked, before) : 0;
  const turns = (places, isAnswer, from) => places.map((place, index) => turnNode(data.turns[place], isAnswer, from + index === 0));
  if (same) node.append(details("earlier", `${many(same, "message")} as in the call before and its answer`, () => turns(asked.slice(0, same), false, 0)));
  node.append(...turns(asked.slice(same), false, same), ...turns(record.answered, true, asked.length));
  if (record.failure) node.append(el("div", "turn failed", el("div", "who", "failure"), el("div", "what", el("pre", "failure", record.failure))));
  if (record.left) node.append(el("div", "turn failed", el("div", "who", "left early"), el("div", "what soft", "The consumer stopped reading here; a replay ends here too.")));
  const stream = streamNode(call);
  if (stream) node.append(stream);
  const settings = Object.entries(record.settings);
  if (record.tools.length || settings.length) {
    node.append(el("div", "beside",
      record.tools.length > 0 && details("aside", many(record.tools.length, "tool") + " offered", () => record.tools.map((place) => {
        const [name, description, parameters] = data.tools[place];
        return el("section", "", el("h3", "", name), description && el("p", "", description), parameters && el("pre", "block", parameters));
      })),
      settings.length > 0 && details("aside", many(settings.length, "setting"), () =>
        el("pre", "block", settings.map(([name, value]) => `${name}: ${value}`).join("\n")))));
  }
  if (record.file) node.append(el("p", "file", `${record.file}, ${bytes(record.bytes)}`));
  return node;
}
function ganttNode(calls) {
  const timed = calls.filter((call) => call.started !== undefined && call.seconds);
  if (timed.length < 2) return null;
  const begin = Math.min(...timed.map((call) => call.started));
  const length = Math.max(...timed.map((call) => call.started + call.seconds)) - begin || 1;
  return el("div", "gantt", timed.slice(0, 40).map((call) => {
    const bar = el("span", call.outcome === "missed" ? "missed" : "");
    bar.style.left = `${((call.started - begin) / length) * 99}%`;
    bar.style.width = `${Math.max(0.4, (call.seconds / length) * 99)}%`;
    const row = el("a", "", el("span", "", number.format(call.ordinal)), el("span", "lane", bar), el("span", "when", duration(call.seconds)));
    row.href = hrefOf(shown, call.ordinal);
    row.setAttribute("aria-label", `Call ${call.ordinal}: after ${duration(call.started - begin)}, for ${duration(call.seconds)}`);
    return row;
  }));
}
