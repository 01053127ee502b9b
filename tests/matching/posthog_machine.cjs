// PostHog's own machine, asked over a pipe: one JSON request a line in, one JSON answer a line out.
//
//   {"code": [bytecode], "scopes": [{globals}, …]}  ->  ["true" | "false" | "other" | "error: message", …]
//
// Argument: the folder of @posthog/hogvm.
"use strict";
const readline = require("node:readline");

const machine = require(process.argv[2]);

// A regular expression engine is handed to the machine from outside, and PostHog's workers hand it RE2. JavaScript's own
// agrees with RE2 on what the tests ask for, once three things are put into its words: the flag in front, a dot that
// stops at line feeds alone, and a hyphen, which cannot be escaped where characters are whole.
const compiled = new Map();
function compile(pattern) {
  let found = compiled.get(pattern);
  if (found === undefined) {
    const folded = pattern.startsWith("(?i)");
    const source = (folded ? pattern.slice(4) : pattern).replace(/\\-|\\[^]|\[[^\]]*\]|\./g, (part) =>
      part === "." ? "[^\\n]" : part === "\\-" ? "-" : part,
    );
    found = new RegExp(source, folded ? "iu" : "u");
    compiled.set(pattern, found);
  }
  return found;
}
const regex = {
  match: (pattern, text) => compile(pattern).test(text),
  extract: (pattern, text) => {
    const found = compile(pattern).exec(text);
    return found === null ? "" : (found[1] ?? found[0]);
  },
};

function run(code, globals) {
  try {
    const done = machine.exec(code, { globals, timeout: 5000, asyncFunctions: {}, maxAsyncSteps: 0, external: { regex } });
    if (done.error) return "error: " + done.error.message;
    return done.result === true || done.result === false ? String(done.result) : "other";
  } catch (error) {
    return "error: " + error.message;
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { code, scopes } = JSON.parse(line);
    process.stdout.write(JSON.stringify(scopes.map((globals) => run(code, globals))) + "\n");
  }
})();
