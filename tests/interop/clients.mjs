// AO's own clients against a node: every call of aoconnect's legacy mode, with the kinds of keys that they sign with, the utilities
// that find a scheduler, and the checks that AO's compute unit makes of a log.
//
//   node clients.mjs MODULES BASE MODULE SCHEDULER AUTHORITY OTHER [MESSAGES]
//
// MODULES is a folder whose node_modules has @permaweb/aoconnect, @permaweb/ao-scheduler-utils, arbundles and arweave. BASE is the
// URL of a node with all roles, OTHER that of one with all but the scheduler's. Prints what it checked; the exit code says whether all of it held.

import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { anchor, evalTags, evaluator, everyCall, output, tag, timers, until } from './calls.mjs'
import { bounds, page, walk } from './log.mjs'

const [, , modules, base, module, scheduler, authority, elsewhere, burst = '20'] = process.argv
const require = createRequire(join(modules, 'node_modules/'))
const [MU_URL, CU_URL, GATEWAY_URL] = ['mu', 'cu', 'gateway'].map(unit => `${base}/${unit}`)
const GRAPHQL_URL = `${GATEWAY_URL}/graphql`
// The libraries read these when they are loaded.
Object.assign(process.env, { MU_URL, CU_URL, GATEWAY_URL, GRAPHQL_URL })

// One of them first asks a router on the internet, and goes on if that says no. Nothing leaves this machine.
const realFetch = globalThis.fetch
globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input)
  if (url.hostname !== '127.0.0.1') return Promise.resolve(new Response('{}', { status: 404 }))
  return realFetch(input, init)
}

const esm = name => import(pathToFileURL(require.resolve(name).replace(/index\.cjs$/, 'index.js')).href)
const { connect, createDataItemSigner, serializeCron } = await esm('@permaweb/aoconnect')
const utils = await esm('@permaweb/ao-scheduler-utils')
const { createData, DataItem, EthereumSigner, HexSolanaSigner } = require('arbundles')
const Arweave = require('arweave')
const bs58 = [require('bs58')].map(it => it.default ?? it)[0]

const ao = connect({ MODE: 'legacy', MU_URL, CU_URL, GATEWAY_URL, GRAPHQL_URL })
const said = what => console.log(`ok  ${what}`)

// Signs as arbundles does.
const foreign = signer => async create => {
  const { data, tags, target, anchor } = await create({ passthrough: true })
  const item = createData(data ?? ' ', signer, { tags, target, anchor })
  await item.sign(signer)
  return { id: item.id, raw: item.getRaw() }
}
const jwk = await Arweave.init({}).wallets.generate()
const arweave = createDataItemSigner(jwk)
const ethereum = foreign(new EthereumSigner('4d'.repeat(32)))
// A Solana key is written as seed and public key.
const seed = Buffer.alloc(32, 7)
const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
const secret = Buffer.concat([seed, key.export({ format: 'der', type: 'spki' }).subarray(-32)])
const solana = foreign(new HexSolanaSigner(bs58.encode(secret)))

const get = path => realFetch(`${base}${path}`).then(it => it.json())
const network = { ao, serializeCron, get, module, scheduler, authority }
const made = {}
for (const [kind, signer] of Object.entries({ arweave, ethereum, solana })) {
  made[kind] = await everyCall({ ...network, signer })
  said(`${kind}: spawn, message, result, results, dryrun, assign, monitor, unmonitor, getMessages, getMessageById, getLastSlot`)
}
const { process: process1, other, sent, slot } = made.arweave
const evaluate = evaluator(ao, arweave)

// What a process sends arrives, pushed by the node.
await evaluate(other, "Handlers.add('note', Handlers.utils.hasMatchingTag('Action', 'Note'), function(m) Noted = m.Data; From = m.From end)")
await evaluate(process1, `ao.send({ Target = '${other}', Action = 'Note', Data = 'hello' }); return 'sent'`)
const returned = async (process, code) => output((await evaluate(process, code)).result)
await until(() => returned(other, "return tostring(Noted) .. ' ' .. tostring(From)"), it => it === `hello ${process1}`)
said('a message from process to process')

// A process spawns another, and is told when it is there; it asks for an assignment, and gets that message.
await evaluate(process1, "Handlers.add('child', Handlers.utils.hasMatchingTag('Action', 'Spawned'), function(m) Child = m.Tags.Process; Mark = m.Tags.Mark end)")
await evaluate(process1, `ao.spawn('${module}', { Tags = { Mark = 'mine', Authority = '${authority}' } }); return 'spawned'`)
const told = await until(() => returned(process1, "return tostring(Child) .. ' ' .. tostring(Mark)"), it => /^[\w-]{43} mine$/.test(it))
const born = await get(`/su/processes/${told.slice(0, 43)}`)
assert.equal(tag(born, 'From-Process'), process1)
assert.equal(tag(born, 'Scheduler'), scheduler)
assert.ok(tag(born, 'Pushed-For'))
const log = async process => (await page(get, process, '&limit=1000')).edges.map(edge => edge.node)
await evaluate(process1, `Assign({ Processes = { '${other}' }, Message = '${sent[1]}' }); return 'assigned'`)
const asked = async () => (await log(other)).filter(node => tag(node.assignment, 'Message') === sent[1])
assert.equal((await until(asked, it => it.length)).length, 1)
assert.equal((await log(process1)).filter(node => tag(node.message, 'Action') === 'Spawned').length, 1)
said('a spawn by a process, and an assignment')

// The checks of AO's compute unit, whichever way it asks for the log.
const slots = await walk({ get, process: process1, by: 'nonce' })
assert.ok(slots.length > slot)
assert.deepEqual(await walk({ get, process: process1, by: 'timestamp' }), slots)
await bounds({ get, process: process1, log: slots })
said(`a log of ${slots.length} slots by nonces and by timestamps: hash chain, tags, cursors, bounds`)

// Items come back as they were signed.
const raw = async id => Buffer.from(await realFetch(`${base}/v1/items/${id}`).then(it => it.arrayBuffer()))
for (const id of [...sent, ...slots.map(it => it.id)]) assert.ok(await DataItem.verify(await raw(id)), id)
said('messages and assignments, verified by arbundles')

// The scheduler is found by who knows only the process.
const finder = utils.connect({ GRAPHQL_URL, followRedirects: true })
const located = await finder.locate(process1)
assert.deepEqual(located, { url: `${base}/su`, address: scheduler })
assert.equal(await finder.validate(scheduler), true)
assert.deepEqual(await finder.raw(scheduler), { url: `${base}/su` })
said('locate, validate, raw')

// So it is by who asks a node that does not schedule, and messages go through that node.
const there = {
  MU_URL: `${elsewhere}/mu`,
  CU_URL: `${elsewhere}/cu`,
  GATEWAY_URL: `${elsewhere}/gateway`,
  GRAPHQL_URL: `${elsewhere}/gateway/graphql`,
}
const seeker = utils.connect({ GRAPHQL_URL: there.GRAPHQL_URL, followRedirects: true })
assert.deepEqual(await until(() => seeker.locate(process1).catch(String), it => it.url), located)
const through = connect({ MODE: 'legacy', ...there })
const handed = await through.message({ process: process1, signer: arweave, tags: evalTags, data: 'return 6 * 7' })
assert.equal(output(await through.result({ process: process1, message: handed })), '42')
const counted = Number(await through.getLastSlot({ processId: process1 }))
assert.ok(counted > slot)
assert.equal((await through.getMessageById({ processId: process1, messageId: handed })).message.id, handed)
said('locate, message, result, getLastSlot and getMessageById through a node that does not schedule')

const begin = performance.now()
for (let k = 0; k < Number(burst); k++) {
  await ao.message({ process: process1, signer: ethereum, tags: evalTags, data: 'return 1', anchor: anchor() })
}
const rate = Number(burst) * 1000 / (performance.now() - begin)
said(`${burst} messages one after another: ${rate.toFixed(1)}/s, signing included`)

for (const [kind, signer] of Object.entries({ arweave, ethereum, solana })) {
  const process = await timers({ ...network, signer })
  said(`${kind}: serializeCron`)
  // It goes on while it is read.
  const ticking = await walk({ get, process, by: 'nonce', timed: true })
  const again = await walk({ get, process, by: 'timestamp', timed: true })
  assert.deepEqual(again.slice(0, ticking.length), ticking)
  said(`${kind}: a log of ${ticking.length} slots with ticks, by nonces and by timestamps`)
}
process.exit(0)
