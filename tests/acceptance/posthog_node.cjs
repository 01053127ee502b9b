// Makes the calls on standard input with posthog-node, as a user's program would, and says what came of them.
//
// {"token", "host", "options", "calls": [["capture", {...}], ...]}
//   -> {"results": [...], "errors": ["what the error event told"], "said": ["[level] line", ...]}

const said = []
for (const level of ['log', 'info', 'warn', 'error', 'debug']) {
    console[level] = (...words) => said.push(`[${level}] ` + words.map(String).join(' '))
}

const { PostHog } = require('posthog-node')

async function main({ token, host, options, calls }) {
    const client = new PostHog(token, { host, ...options })
    const errors = []
    client.on('error', (error) => errors.push(String(error)))
    client.debug(true)
    const results = []
    for (const [name, ...given] of calls) {
        results.push((await client[name](...given)) ?? null)
    }
    await client.shutdown()
    process.stdout.write(JSON.stringify({ results, errors, said }))
}

let input = ''
process.stdin.on('data', (piece) => (input += piece))
process.stdin.on('end', () => main(JSON.parse(input)))
