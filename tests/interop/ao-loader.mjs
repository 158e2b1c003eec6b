// Evaluates messages with AO's own loader: the reference for results.
//
//   node ao-loader.mjs MODULES WASM FORMAT INPUTS [resident]
//
// MODULES is a folder whose node_modules has @permaweb/ao-loader. INPUTS is a file of lines of JSON: the environment, then
// the messages. For each message one line of JSON is printed: the result, without memory. Then one line: the milliseconds
// of processor time that the messages after the first took. With `resident` memory is not copied in and out.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [, , modules, wasm, format, inputs, resident] = process.argv
const AoLoader = createRequire(join(modules, 'node_modules/'))('@permaweb/ao-loader')
const [environment, ...messages] = readFileSync(inputs, 'utf8').trim().split('\n').map(line => JSON.parse(line))

// The loader leaves the clock to the machine. It is the message's here, and the first one's while the module starts.
let now = messages[0].Timestamp
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor (...parts) {
    if (parts.length) super(...parts)
    else super(now)
  }

  static now () { return now }
}

const handle = await AoLoader(readFileSync(wasm), {
  format,
  inputEncoding: 'JSON-1',
  outputEncoding: 'JSON-1',
  memoryLimit: '4-gb',
  computeLimit: 9e15,
  ...(resident ? { UNSAFE_MEMORY: true } : {})
})
let memory = null
let started
for (const message of messages) {
  now = message.Timestamp
  let result
  try {
    let after
    ;({ Memory: after, ...result } = await handle(memory, message, environment))
    // What fails leaves the state of before.
    if (!result.Error) memory = after
  } catch (error) {
    // A module that is not ok: the loader throws its response.
    result = { Error: error instanceof Error ? error.message : error }
  }
  process.stdout.write(JSON.stringify(result) + '\n')
  started ??= process.cpuUsage()
}
const used = process.cpuUsage(started)
process.stdout.write(JSON.stringify({ cpu_ms: (used.user + used.system) / 1000 }) + '\n')
