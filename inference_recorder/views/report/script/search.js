// Search: every word must be found, in the call's names or in its messages.
let words = [], outcome = "";
let turnTexts = null;
function turnText(place) {
  turnTexts ||= new Array(data.turns.length);
  return turnTexts[place] ??= data.turns[place][2].map((part) => `${part[2] || ""} ${part[1]}`).join("\n").toLowerCase();
}
function callText(call) {
  const record = call.record;
  return call.text ??= [call.test, call.result, call.model, call.endpoint, call.key, call.outcome, call.explanation,
    record && record.failure, record && record.file, record && record.problem].join("\n").toLowerCase();
}
function matcher() {
  const turnsWith = words.map(() => new Map());
  const says = (word, place, index) => {
    let is = turnsWith[index].get(place);
    if (is === undefined) turnsWith[index].set(place, is = turnText(place).includes(word));
    return is;
  };
  return (call) => (!outcome || call.outcome === outcome || call.result === outcome) && words.every((word, index) =>
    callText(call).includes(word) || (call.record && call.record.asked &&
      (call.record.asked.some((place) => says(word, place, index)) || call.record.answered.some((place) => says(word, place, index)))));
}
let matching = new Map(tests.map((test) => [test, test.calls]));
function filter() {
  if (!words.length && !outcome) {
    matching = new Map(tests.map((test) => [test, test.calls]));
  } else {
    const fits = matcher();
    matching = new Map();
    for (const test of tests) {
      const calls = test.calls.filter(fits);
      if (calls.length) matching.set(test, calls);
    }
  }
}
