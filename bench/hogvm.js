// PostHog's virtual machine at work on what `bench.language` gives it.
//
//     node hogvm.js FOLDER_OF_@posthog/hogvm TASKS.json
//
// TASKS.json: {name: {bytecode: […], globals: [{…}, …]}}. Asked a line at a time on standard input, it answers with a
// line of JSON: `answers NAME` the value for each of the globals, `run NAME SECONDS` how many evaluations it made in so
// many seconds of processor time, and how many seconds that really were. It ends with its standard input.
const fs = require('fs')
const readline = require('readline')

const { exec } = require(process.argv[2])
const tasks = JSON.parse(fs.readFileSync(process.argv[3], 'utf8'))

function evaluate(bytecode, globals) {
    const done = exec(bytecode, { globals })
    if (!done.finished || done.error) throw done.error ?? new Error('the machine wants something from outside')
    return done.result
}

function run({ bytecode, globals }, seconds) {
    const begin = process.cpuUsage()
    let evaluations = 0
    let used = 0
    while (used < seconds) {
        for (const each of globals) evaluate(bytecode, each)
        evaluations += globals.length
        const { user, system } = process.cpuUsage(begin)
        used = (user + system) / 1e6
    }
    return { evaluations, cpu_seconds: used }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const [verb, name, seconds] = line.split(' ')
    const task = tasks[name]
    const answer =
        verb === 'answers' ? task.globals.map((each) => evaluate(task.bytecode, each)) : run(task, Number(seconds))
    process.stdout.write(JSON.stringify(answer) + '\n')
})
