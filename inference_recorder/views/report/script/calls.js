// The calls, by test; those outside of tests by what they ask.
const RESULTS = { passed: "passed", failed: "failed", skipped: "skipped", xfailed: "failed as expected" };
const isTrouble = (call) => call.outcome === "missed" || call.outcome === "unreadable";
const tests = [];
{
  const known = new Map();
  for (const call of data.calls) {
    const id = call.test ? `t ${call.test}` : `e ${call.outcome === "unreadable" ? "unreadable" : call.endpoint}`;
    let test = known.get(id);
    if (!test) {
      known.set(id, test = { calls: [], trouble: 0, result: call.result, ...named(call) });
      tests.push(test);
    }
    call.record = call.recording >= 0 ? data.recordings[call.recording] : call.request ? { answered: [], ...call.request } : null;
    call.tokens = call.tokens || (call.record && call.record.usage) || null;
    test.calls.push(call);
    call.ordinal = test.calls.length;
    if (isTrouble(call)) test.trouble += 1;
  }
  const collate = new Intl.Collator("en", { numeric: true });
  tests.sort((a, b) => (a.isTest === b.isTest ? collate.compare(a.file, b.file) : a.isTest ? -1 : 1));
}
// The address of a test is its id, so that a link to it stays true when other tests come and go. What is no Unicode has none.
const idOf = (test) => (test.isTest ? test.calls[0].test : test.name).replace(/\p{Surrogate}/gu, "\ufffd");
const byAddress = new Map();
for (const test of tests) byAddress.set(idOf(test), test);
const hrefOf = (test, ordinal) => `#${encodeURI(idOf(test))}${ordinal ? `.${ordinal}` : ""}`;
// Reads an address: a test's id, which may be followed by the number of a call.
function addressIn(hash) {
  let id = hash.slice(1);
  try { id = decodeURIComponent(id); } catch { /* typed by hand, with a % of its own */ }
  const [, start, ordinal] = /^([^]*)\.(\d+)$/.exec(id) || [];
  return byAddress.has(id) || !byAddress.has(start) ? { test: byAddress.get(id), ordinal: 0 } : { test: byAddress.get(start), ordinal: Number(ordinal) };
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
