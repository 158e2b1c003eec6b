// Every call of aoconnect's legacy mode, for whoever signs.

import assert from 'node:assert/strict'

export const tag = (item, name) => item.tags.find(it => it.name === name)?.value
export const output = result => String(result.Output?.data?.output ?? result.Output?.data)
export const evalTags = [{ name: 'Action', value: 'Eval' }]

let unique = 0
export const anchor = () => String(++unique).padStart(32, '0')

// Asks until an answer is right; 15 seconds are enough.
export const until = async (ask, right) => {
  for (let tries = 0; ; tries++) {
    const answer = await ask()
    if (right(answer)) return answer
    assert.ok(tries < 60, JSON.stringify(answer))
    await new Promise(resolve => setTimeout(resolve, 250))
  }
}

export const evaluator = (ao, signer) => async (process, data) => {
  const message = await ao.message({ process, signer, tags: evalTags, data, anchor: anchor() })
  return { message, result: await ao.result({ process, message }) }
}

// Gives the process that it made, and the messages that it sent there.
export async function everyCall ({ ao, get, signer, module, scheduler, authority }) {
  const evaluate = evaluator(ao, signer)
  const tags = [{ name: 'Authority', value: authority }]
  const spawn = (more, data = 'return 1') => ao.spawn({ module, scheduler, signer, tags: [...tags, ...more], data })

  // spawn, message, result
  const process = await spawn([{ name: 'Name', value: 'one' }])
  const sent = []
  for (let k = 1; k <= 8; k++) {
    const { message, result } = await evaluate(process, 'Count = (Count or 0) + 1; return Count')
    assert.equal(output(result), String(k), JSON.stringify(result))
    sent.push(message)
  }

  // dryrun: nothing of it is left behind.
  const Owner = output((await evaluate(process, 'return Owner')).result)
  const dry = await ao.dryrun({ process, Owner, tags: evalTags, data: 'Count = 999; return Count' })
  assert.equal(output(dry), '999')
  assert.equal(output((await evaluate(process, 'return Count')).result), '8')

  // A process may bring its code, which is evaluated when it begins.
  const brought = await spawn([{ name: 'On-Boot', value: 'Data' }], "Brought = 'with ' .. 6 * 7")
  const began = await ao.result({ process: brought, message: brought })
  assert.ok(!began.Error && !began.error, JSON.stringify(began))
  const asked = await ao.dryrun({ process: brought, Owner, tags: evalTags, data: 'return Brought' })
  assert.equal(output(asked), 'with 42', JSON.stringify(asked))
  assert.equal(output((await evaluate(brought, 'return Brought')).result), 'with 42')

  // An error is a result, and leaves the state as it was.
  const { result: failed } = await evaluate(process, "Count = 7; error('boom')")
  assert.match(JSON.stringify(failed), /boom/)

  // results: page by page, both ways.
  const all = await ao.results({ process, limit: 100 })
  assert.ok(all.edges.length >= 9)
  const ordinate = edge => JSON.parse(atob(edge.cursor)).ordinate
  for (const sort of ['ASC', 'DESC']) {
    const seen = []
    let cursor
    for (let page = 0; page < 100; page++) {
      // From where the last page ended: onward by `from`, back by `to`, which gives that edge again.
      const bound = cursor && (sort === 'ASC' ? { from: cursor } : { to: cursor })
      const { edges } = await ao.results({ process, sort, limit: 3, ...bound })
      const fresh = edges.filter(edge => edge.cursor !== cursor)
      seen.push(...fresh.map(ordinate))
      if (!fresh.length) break
      cursor = edges.at(-1).cursor
    }
    const expected = all.edges.map(ordinate)
    assert.deepEqual(seen, sort === 'ASC' ? expected : expected.reverse())
  }

  // assign: a message of one process as an input of another, without its data.
  const other = await spawn([])
  const assigned = await ao.assign({ process: other, message: sent[0], exclude: ['Data'] })
  const own = await get(`/su/${assigned}?process-id=${other}`)
  assert.equal(tag(own.assignment, 'Message'), sent[0])
  assert.equal(tag(own.assignment, 'Exclude'), 'Data')
  assert.equal(own.message.id, sent[0])
  assert.ok(await ao.result({ process: other, message: sent[0] }))

  // monitor, unmonitor
  assert.equal(typeof await ao.monitor({ process, signer }), 'string')
  assert.equal(typeof await ao.unmonitor({ process, signer }), 'string')

  // getMessageById, getMessages, getLastSlot, and a message that gives its slot
  const byId = await ao.getMessageById({ processId: process, messageId: sent[3] })
  assert.equal(byId.message.id, sent[3])
  const range = await ao.getMessages({ processId: process, from: '0', to: String(Date.now() + 60_000), limit: '1000' })
  assert.ok(range.edges.some(edge => edge.node.message.id === sent[7]))
  const last = await ao.getLastSlot({ processId: process })
  assert.equal(last, tag(range.edges.at(-1).node.assignment, 'Nonce'))
  const slot = await ao.message({ process, signer, tags: evalTags, data: 'return 1', returnAssignmentSlot: true })
  assert.equal(Number(slot), Number(last) + 1)
  return { process, other, sent, slot: Number(slot) }
}

// A process with timers is told the time by itself, for as long as the network is there.
export async function timers ({ ao, serializeCron, get, signer, module, scheduler, authority }) {
  const evaluate = evaluator(ao, signer)
  const timer = serializeCron({ interval: '1-second', tags: [{ name: 'Action', value: 'Tick' }] })
  const ticking = await ao.spawn({ module, scheduler, signer, tags: [{ name: 'Authority', value: authority }, ...timer] })
  await evaluate(ticking, "Handlers.add('tick', Handlers.utils.hasMatchingTag('Action', 'Tick'), function(m) Ticks = (Ticks or 0) + 1; IsCron = m.Cron end)")
  const ticked = async () => output((await evaluate(ticking, "return tostring(Ticks or 0) .. ' ' .. tostring(IsCron)")).result)
  assert.match(await until(ticked, it => Number(it.split(' ')[0]) >= 3), / true$/)
  const ticks = await get(`/cu/cron/${ticking}?limit=100`)
  assert.ok(ticks.edges.length >= 3)
  const moments = ticks.edges.map(edge => JSON.parse(atob(edge.cursor)))
  for (const [k, { timestamp, cron }] of moments.entries()) {
    assert.equal(cron, '0-1-second')
    assert.equal(timestamp % 1000, 0)
    if (k) assert.equal(timestamp, moments[k - 1].timestamp + 1000)
  }
  return ticking
}
