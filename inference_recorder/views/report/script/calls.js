// The calls, by test; those outside of tests by what they ask.
const isTrouble = (call) => call.outcome === "missed" || call.outcome === "unreadable";
const tests = [];
{
  const known = new Map();
  for (const call of data.calls) {
    const id = call.test ? `t ${call.test}` : `e ${call.outcome === "unreadable" ? "unreadable" : call.endpoint}`;
    let test = known.get(id);
    if (!test) {
      known.set(id, test = { place: 0, calls: [], trouble: 0, ...named(call) });
      tests.push(test);
    }
    call.record = call.recording >= 0 ? data.recordings[call.recording] : null;
    call.tokens = call.tokens || (call.record && call.record.usage) || null;
    test.calls.push(call);
    if (isTrouble(call)) test.trouble += 1;
  }
  const collate = new Intl.Collator("en", { numeric: true });
  tests.sort((a, b) => (a.isTest === b.isTest ? collate.compare(a.file, b.file) : a.isTest ? -1 : 1));
  tests.forEach((test, place) => { test.place = place; });
}
function named(call) {
  if (!call.test) {
    const name = call.outcome === "unreadable" ? "Files that cannot be read" : call.endpoint || "Unknown endpoint";
    return { isTest: false, isUnreadable: call.outcome === "unreadable", file: "Outside a test", name, params: "" };
  }
  const cut = call.test.indexOf("::");
  const file = cut < 0 ? "" : call.test.slice(0, cut), rest = cut < 0 ? call.test : call.test.slice(cut + 2);
  const bracket = rest.endsWith("]") ? rest.indexOf("[") : -1;
  return {
    isTest: true, file: file || "Tests",
    name: bracket > 0 ? rest.slice(0, bracket) : rest, params: bracket > 0 ? rest.slice(bracket + 1, -1) : "",
  };
}
