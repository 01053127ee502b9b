// LiquidJS as PostHog configures it, driven over a pipe: one JSON object a line in, one a line out.
const { Liquid } = require(process.argv[2])
const limits = { memoryLimit: 4 * 1024 * 1024, renderLimit: 500, parseLimit: 100000 }
const plain = new Liquid({ templates: {}, ...limits })
const escaping = new Liquid({ templates: {}, outputEscape: 'escape', ...limits })
const entities = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#x27;': "'", '&amp;': '&' }
const decode = (source) =>
    source.replace(/\{\{.*?\}\}|\{%.*?%\}/gs, (tag) => tag.replace(/&(?:lt|gt|quot|#x27|amp);/g, (e) => entities[e]))
// `now` in a template is a Date; the filter's own 'now' and 'today' read the clock, which is set here.
const RealDate = Date
let now = 0
RealDate.now = () => now

require('readline')
    .createInterface({ input: process.stdin })
    .on('line', (line) => {
        const { source, globals, at, escape } = JSON.parse(line)
        now = at
        let answer
        try {
            const engine = escape ? escaping : plain
            answer = { text: engine.parseAndRenderSync(decode(source), { ...globals, now: new RealDate(at) }) }
        } catch (error) {
            answer = { error: String(error.message).slice(0, 300) }
        }
        process.stdout.write(JSON.stringify(answer) + '\n')
    })
