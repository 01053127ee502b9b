// PostHog's own Hog, asked over a pipe: one JSON request a line in, one JSON answer a line out.
//
//   {"parse": "a + 1", "template": false}     -> {"tree": "<the parser's own JSON>"}
//   {"run": [bytecode], "globals": {…}}       -> {"value": <tagged>} or {"error": "message"}
//
// Arguments: the folders of @posthog/hogql-parser and @posthog/hogvm, and the milliseconds that `now()` is.
"use strict";
const crypto = require("node:crypto");
const readline = require("node:readline");

const [parserFolder, machineFolder, now] = process.argv.slice(2);
Date.now = () => Number(now);

// A regular expression engine is handed to the machine from outside: PostHog's workers hand it RE2. JavaScript's own
// agrees with RE2 on what the tests use, once the flag that the machine writes in front is taken as a flag.
function compile(pattern) {
  const text = String(pattern);
  return text.startsWith("(?i)") ? new RegExp(text.slice(4), "i") : new RegExp(text);
}
const regex = {
  match: (pattern, text) => compile(pattern).test(text),
  extract: (pattern, text) => {
    const found = compile(pattern).exec(text);
    return found === null ? "" : (found[1] ?? found[0]);
  },
};

// JSON has neither NaN nor tuples nor dates, so each value comes with the name of its type.
function tagged(value) {
  if (value === undefined || value === null) return ["null"];
  if (typeof value === "boolean") return ["boolean", value];
  if (typeof value === "string") return ["string", value];
  if (typeof value === "number") return ["number", String(value)];
  if (Array.isArray(value)) return [value.__isHogTuple ? "tuple" : "list", ...value.map(tagged)];
  if (value instanceof Map) return ["object", ...Array.from(value, ([key, item]) => [tagged(key), tagged(item)])];
  if (value.__hogDateTime__) return ["datetime", String(value.dt), value.zone];
  if (value.__hogDate__) return ["date", String(value.year), String(value.month), String(value.day)];
  if (value.__hogError__) return ["error", value.type, value.message, tagged(value.payload)];
  if (value.__hogClosure__ || value.__hogCallable__) return ["function"];
  return ["object", ...Object.entries(value).map(([key, item]) => [tagged(key), tagged(item)])];
}

// Half of a surrogate pair has no place in UTF-8, so all that is not ASCII is escaped.
function ascii(json) {
  return json.replace(/[\u0080-\uffff]/g, (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0"));
}

async function main() {
  const parser = await require(parserFolder)();
  const machine = require(machineFolder);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    if (request.parse !== undefined) {
      // Without the closing quote: this is how PostHog hands a whole template to its parser.
      const tree = request.template ? parser.parseFullTemplateString("F'" + request.parse) : parser.parseExpr(request.parse);
      answer = { tree };
    } else {
      try {
        const options = { globals: request.globals, timeout: 5000, asyncFunctions: {}, external: { crypto, regex } };
        const result = machine.exec(request.run, options);
        answer = result.error ? { error: String(result.error.message) } : { value: tagged(result.result) };
      } catch (error) {
        answer = { error: String(error.message) };
      }
    }
    process.stdout.write(ascii(JSON.stringify(answer)) + "\n");
  }
}

main();
