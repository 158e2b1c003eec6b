// AO's own clients against a node: every call of aoconnect's legacy mode, with the kinds of keys that they sign with, the utilities
// that find a scheduler, and the checks that AO's compute unit makes of a log.
//
//   node clients.mjs MODULES BASE MODULE SCHEDULER AUTHORITY [MESSAGES]
//
// MODULES is a folder whose node_modules has @permaweb/aoconnect, @permaweb/ao-scheduler-utils, arbundles and arweave. BASE is the
// URL of a node with all roles. Prints what it checked; the exit code says whether all of it held.

import assert from 'node:assert/strict'
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , modules, base, module, scheduler, authority, burst = '20'] = process.argv
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
const address = await Arweave.init({}).wallets.jwkToAddress(jwk)
const arweave = createDataItemSigner(jwk)
const ethereum = foreign(new EthereumSigner('4d'.repeat(32)))
// A Solana key is written as seed and public key.
const seed = Buffer.alloc(32, 7)
const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
const secret = Buffer.concat([seed, key.export({ format: 'der', type: 'spki' }).subarray(-32)])
const solana = foreign(new HexSolanaSigner(bs58.encode(secret)))

const evalTags = [{ name: 'Action', value: 'Eval' }]
let unique = 0
const anchor = () => String(++unique).padStart(32, '0')
const evaluate = async (process, signer, data) => {
  const message = await ao.message({ process, signer, tags: evalTags, data, anchor: anchor() })
  return { message, result: await ao.result({ process, message }) }
}
const output = result => String(result.Output?.data?.output ?? result.Output?.data)

for (const [name, signer] of Object.entries({ arweave, ethereum, solana })) {
  const tags = [{ name: 'Name', value: name }, { name: 'Authority', value: authority }]
  const process = await ao.spawn({ module, scheduler, signer, tags, data: 'return 1' })
  const { result } = await evaluate(process, signer, 'X = (X or 40) + 2; return X')
  assert.equal(output(result), '42', JSON.stringify(result))
  said(`${name}: spawn, message, result`)
}

const process1 = await ao.spawn({ module, scheduler, signer: arweave, tags: [{ name: 'Authority', value: authority }] })
const sent = []
for (let k = 0; k < 8; k++) sent.push((await evaluate(process1, arweave, `Count = (Count or 0) + 1; return Count`)).message)

// Dry runs leave nothing behind.
const dry = await ao.dryrun({ process: process1, Owner: address, tags: evalTags, data: 'Count = 999; return Count' })
assert.equal(output(dry), '999')
assert.equal(output((await evaluate(process1, arweave, 'return Count')).result), '8')
said('dryrun')

// An error is a result, and leaves the state as it was.
const { result: failed } = await evaluate(process1, arweave, "Count = 7; error('boom')")
assert.match(JSON.stringify(failed), /boom/)
said('result of an error')

// Results page by page, both ways.
const all = await ao.results({ process: process1, limit: 100 })
assert.ok(all.edges.length >= 9)
for (const sort of ['ASC', 'DESC']) {
  const seen = []
  let cursor
  for (let page = 0; page < 100; page++) {
    // From where the last page ended: onward by `from`, back by `to`, which gives that edge again.
    const bound = cursor && (sort === 'ASC' ? { from: cursor } : { to: cursor })
    const { edges } = await ao.results({ process: process1, sort, limit: 3, ...bound })
    const fresh = edges.filter(edge => edge.cursor !== cursor)
    seen.push(...fresh.map(edge => JSON.parse(atob(edge.cursor)).ordinate))
    if (!fresh.length) break
    cursor = edges.at(-1).cursor
  }
  const expected = all.edges.map(edge => JSON.parse(atob(edge.cursor)).ordinate)
  assert.deepEqual(seen, sort === 'ASC' ? expected : expected.reverse())
}
said('results, both ways')

// A message of one process as an input of another, without its data.
const other = await ao.spawn({ module, scheduler, signer: arweave, tags: [{ name: 'Authority', value: authority }] })
const assigned = await ao.assign({ process: other, message: sent[0], exclude: ['Data'] })
const own = await realFetch(`${base}/su/${assigned}?process-id=${other}`).then(it => it.json())
const tag = (item, name) => item.tags.find(it => it.name === name)?.value
assert.equal(tag(own.assignment, 'Message'), sent[0])
assert.equal(tag(own.assignment, 'Exclude'), 'Data')
assert.equal(own.message.id, sent[0])
assert.ok(await ao.result({ process: other, message: sent[0] }))
said('assign')

assert.equal(typeof await ao.monitor({ process: process1, signer: arweave }), 'string')
assert.equal(typeof await ao.unmonitor({ process: process1, signer: arweave }), 'string')
said('monitor, unmonitor')

// What a process sends arrives, pushed by the node.
await evaluate(other, arweave, "Handlers.add('note', Handlers.utils.hasMatchingTag('Action', 'Note'), function(m) Noted = m.Data; From = m.From end)")
await evaluate(process1, arweave, `ao.send({ Target = '${other}', Action = 'Note', Data = 'hello' }); return 'sent'`)
for (let tries = 0; ; tries++) {
  const seen = output((await evaluate(other, arweave, "return tostring(Noted) .. ' ' .. tostring(From)")).result)
  if (seen === `hello ${process1}`) break
  assert.ok(tries < 40, seen)
  await new Promise(resolve => setTimeout(resolve, 250))
}
said('a message from process to process')

// A process spawns another, and is told when it is there; it asks for an assignment, and gets that message.
await evaluate(process1, arweave, "Handlers.add('child', Handlers.utils.hasMatchingTag('Action', 'Spawned'), function(m) Child = m.Tags.Process; Mark = m.Tags.Mark end)")
await evaluate(process1, arweave, `ao.spawn('${module}', { Tags = { Mark = 'mine', Authority = '${authority}' } }); return 'spawned'`)
let child
for (let tries = 0; ; tries++) {
  const seen = output((await evaluate(process1, arweave, "return tostring(Child) .. ' ' .. tostring(Mark)")).result)
  if (/^[\w-]{43} mine$/.test(seen)) { child = seen.slice(0, 43); break }
  assert.ok(tries < 40, seen)
  await new Promise(resolve => setTimeout(resolve, 250))
}
const born = await realFetch(`${base}/su/processes/${child}`).then(it => it.json())
assert.equal(tag(born, 'From-Process'), process1)
assert.equal(tag(born, 'Scheduler'), scheduler)
assert.ok(tag(born, 'Pushed-For'))
const log = async process => (await realFetch(`${base}/su/${process}?process-id=${process}&limit=1000`).then(it => it.json())).edges.map(edge => edge.node)
await evaluate(process1, arweave, `Assign({ Processes = { '${other}' }, Message = '${sent[1]}' }); return 'assigned'`)
for (let tries = 0; ; tries++) {
  const found = (await log(other)).filter(node => tag(node.assignment, 'Message') === sent[1])
  if (found.length) { assert.equal(found.length, 1); break }
  assert.ok(tries < 40)
  await new Promise(resolve => setTimeout(resolve, 250))
}
assert.equal((await log(process1)).filter(node => tag(node.message, 'Action') === 'Spawned').length, 1)
said('a spawn by a process, and an assignment')

// What the scheduler shows.
const byId = await ao.getMessageById({ processId: process1, messageId: sent[3] })
assert.equal(byId.message.id, sent[3])
const range = await ao.getMessages({ processId: process1, from: '0', to: String(Date.now() + 60_000), limit: '1000' })
assert.ok(range.edges.some(edge => edge.node.message.id === sent[7]))
const last = await ao.getLastSlot({ processId: process1 })
assert.equal(last, tag(range.edges.at(-1).node.assignment, 'Nonce'))
const slot = await ao.message({ process: process1, signer: arweave, tags: evalTags, data: 'return 1', returnAssignmentSlot: true })
assert.equal(Number(slot), Number(last) + 1)
said('getMessageById, getMessages, getLastSlot, message with its slot')

// The checks of AO's compute unit: hash chain, tags in their order, cursors.
const b64 = text => Buffer.from(text, 'base64url')
const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest('base64url')
const names = ['Process', 'Epoch', 'Nonce', 'Hash-Chain', 'Block-Height', 'Timestamp', 'Data-Protocol', 'Type', 'Variant']
let [chain, before, nonce] = [null, null, 0]
for (let from = -1, more = true; more;) {
  const url = `${base}/su/${process1}?process-id=${process1}&limit=4&from-nonce=${from}`
  const page = await realFetch(url).then(it => it.json())
  for (const { node, cursor } of page.edges) {
    const { assignment, message } = node
    chain = chain ? sha(b64(before), b64(chain)) : sha(b64(process1))
    assert.equal(tag(assignment, 'Hash-Chain'), chain)
    assert.deepEqual(assignment.tags.slice(0, 9).map(it => it.name), names)
    assert.equal(tag(assignment, 'Nonce'), String(nonce))
    assert.equal(cursor, String(nonce))
    assert.equal(message.id, nonce ? tag(assignment, 'Message') : process1)
    assert.equal(sha(b64(assignment.signature)), assignment.id)
    before = assignment.id
    from = nonce++
  }
  more = page.page_info.has_next_page
}
assert.equal(nonce, Number(slot) + 1)
said(`a log of ${nonce} slots: hash chain, tags, cursors`)

// Items come back as they were signed.
const raw = Buffer.from(await realFetch(`${base}/v1/items/${sent[0]}`).then(it => it.arrayBuffer()))
assert.ok(await DataItem.verify(raw))
said('an item, verified by arbundles')

// The scheduler is found by who knows only the process.
const finder = utils.connect({ GRAPHQL_URL, followRedirects: true })
const located = await finder.locate(process1)
assert.deepEqual(located, { url: `${base}/su`, address: scheduler })
assert.equal(await finder.validate(scheduler), true)
assert.deepEqual(await finder.raw(scheduler), { url: `${base}/su` })
said('locate, validate, raw')

// A process with timers is told the time by itself.
const ticking = await ao.spawn({
  module, scheduler, signer: arweave,
  tags: [{ name: 'Authority', value: authority }, ...serializeCron({ interval: '1-second', tags: [{ name: 'Action', value: 'Tick' }] })]
})
await evaluate(ticking, arweave, "Handlers.add('tick', Handlers.utils.hasMatchingTag('Action', 'Tick'), function(m) Ticks = (Ticks or 0) + 1; IsCron = m.Cron end)")
for (let tries = 0; ; tries++) {
  const seen = output((await evaluate(ticking, arweave, "return tostring(Ticks or 0) .. ' ' .. tostring(IsCron)")).result)
  if (Number(seen.split(' ')[0]) >= 3) { assert.match(seen, / true$/); break }
  assert.ok(tries < 60, seen)
  await new Promise(resolve => setTimeout(resolve, 250))
}
const ticks = await realFetch(`${CU_URL}/cron/${ticking}?limit=100`).then(it => it.json())
assert.ok(ticks.edges.length >= 3)
const moments = ticks.edges.map(edge => JSON.parse(atob(edge.cursor)))
for (const [k, { timestamp, cron }] of moments.entries()) {
  assert.equal(cron, '0-1-second')
  assert.equal(timestamp % 1000, 0)
  if (k) assert.equal(timestamp, moments[k - 1].timestamp + 1000)
}
said(`serializeCron, ${ticks.edges.length} ticks`)

const begin = performance.now()
for (let k = 0; k < Number(burst); k++) {
  await ao.message({ process: process1, signer: ethereum, tags: evalTags, data: 'return 1', anchor: anchor() })
}
const rate = Number(burst) * 1000 / (performance.now() - begin)
said(`${burst} messages one after another: ${rate.toFixed(1)}/s, signing included`)
process.exit(0)
