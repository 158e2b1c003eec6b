// The checks that AO's compute unit makes of a log as a scheduler serves it: hash chain, tags in their order, cursors; in pages by
// nonces, and by timestamps as AO's units ask for them.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { tag } from './calls.mjs'

const names = ['Process', 'Epoch', 'Nonce', 'Hash-Chain', 'Block-Height', 'Timestamp', 'Data-Protocol', 'Type', 'Variant']
const b64 = text => Buffer.from(text, 'base64url')
const sha = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest('base64url')
// How the page after a cursor is asked for, and the tag that cursors are. Timestamps begin without one.
const pages = {
  nonce: { after: cursor => `&from-nonce=${cursor ?? -1}`, cursor: 'Nonce' },
  timestamp: { after: cursor => cursor ? `&from=${cursor}` : '', cursor: 'Timestamp' },
}
export const page = (get, process, more) => get(`/su/${process}?process-id=${process}${more}`)

// Reads a log to its end by pages of this kind and checks it; gives id and timestamp of each assignment. Slots without a message are
// ticks, which only a process with timers has.
export async function walk ({ get, process, by, timed = false }) {
  const seen = []
  let [chain, last] = [null, null]
  for (let more = true, cursor = null; more;) {
    const { edges, page_info: { has_next_page: next } } = await page(get, process, `&limit=4${pages[by].after(cursor)}`)
    assert.ok(edges.length || !next, `an empty page after ${cursor}`)
    for (const { node: { assignment, message }, cursor: own } of edges) {
      const nonce = seen.length
      chain = chain ? sha(b64(last), b64(chain)) : sha(b64(process))
      assert.equal(tag(assignment, 'Hash-Chain'), chain, `slot ${nonce}`)
      assert.deepEqual(assignment.tags.slice(0, 9).map(it => it.name), names)
      assert.equal(tag(assignment, 'Process'), process)
      assert.equal(tag(assignment, 'Nonce'), String(nonce))
      assert.equal(own, tag(assignment, pages[by].cursor))
      assert.equal(sha(b64(assignment.signature)), assignment.id)
      if (nonce === 0) assert.equal(message.id, process)
      else if (message) assert.equal(message.id, tag(assignment, 'Message'))
      else assert.ok(timed && tag(assignment, 'Cron') && !tag(assignment, 'Message'))
      const time = Number(tag(assignment, 'Timestamp'))
      assert.ok(time >= (seen.at(-1)?.time ?? 0), 'time goes on')
      seen.push({ id: assignment.id, time })
      last = assignment.id
      cursor = own
    }
    more = next
  }
  return seen
}

// A page from and to somewhere within the log has what lies after the one and up to the other.
export async function bounds ({ get, process, log }) {
  const ids = async more => (await page(get, process, `${more}&limit=1000`)).edges.map(edge => edge.node.assignment.id)
  const [from, to] = [Math.floor(log.length / 4), Math.floor(log.length / 2)]
  const within = log.slice(from + 1, to + 1)
  assert.deepEqual(await ids(`&from-nonce=${from}&to-nonce=${to}`), within.map(it => it.id))
  const between = log.filter(it => it.time > log[from].time && it.time <= log[to].time)
  assert.deepEqual(await ids(`&from=${log[from].time}&to=${log[to].time}`), between.map(it => it.id))
}
