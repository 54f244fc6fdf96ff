// Runs the ways of using an SDK that the command line names, all without names; prints a line of JSON for each:
// [name, result], or [name, class, status, code, message] of the error.

export async function run(ways) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(ways);
  for (const name of names) {
    let line;
    try {
      line = [name, await ways[name]()];
    } catch (error) {
      line = [name, error.constructor.name, error.status ?? null, error.code ?? null, error.message];
    }
    console.log(JSON.stringify(line));
  }
}

export async function collected(items) {
  const all = [];
  for await (const item of await items) all.push(item);
  return all;
}

// Five different requests, [milliseconds, class, status, …]: how long each took to fail.
export async function timed(ask) {
  const failures = [];
  for (let number = 0; number < 5; number++) {
    const begun = performance.now();
    try {
      await ask(`Question ${number}`);
    } catch (error) {
      failures.push([performance.now() - begun, error.constructor.name, error.status]);
    }
  }
  return failures;
}
