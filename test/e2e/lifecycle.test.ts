/**
 * A node may be started and stopped in any order and at any moment. What a start has opened is closed again, whatever
 * ends it, and a stop waits for nobody.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Node } from '../../src/index.ts'
import {
  acceptingLine,
  addressOf,
  gather,
  makeNode,
  propagateText,
  startNodes,
  TOPIC,
  untilMeshed,
} from './support/nodes.ts'
import { until, within } from './support/until.ts'

/** Nothing that hangs may hold a stop for longer: a deadline of a dial, or of a part that closes, is 5 s. */
const PROMPT_MS = 3_000

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('start and stop may come in any order, and more than once', { timeout: 20_000 }, async t => {
  const node = await makeNode(t)
  await node.stop()
  const started = node.start()
  assert.equal(node.start(), started)
  await started
  await node.start()
  assert.equal(node.addresses().length, 1)

  const [stopped, again] = [node.stop(), node.stop()]
  // A start during a stop comes after it.
  const restarted = node.start()
  await Promise.all([stopped, again, restarted])
  assert.equal(node.addresses().length, 1)
  await node.stop()
  await node.stop()
  assert.deepEqual(node.addresses(), [])
  assert.deepEqual(node.peers(), [])
})

test('a stop at any moment of a start ends it, and leaves nothing open', { timeout: 60_000 }, async t => {
  const port = await freePort()
  const node = await makeNode(t, { dataDir: temporaryFolder(t), listen: [`/ip4/127.0.0.1/tcp/${port}`] })
  const outcomes: string[] = []
  for (let turns = 0; outcomes.at(-1) !== 'started'; turns += 1 + Math.floor(turns / 10)) {
    const start = node.start().then(
      () => 'started',
      error => error.code,
    )
    for (let turn = 0; turn < turns; turn++) await nextTurn()
    await within('the stop', PROMPT_MS, node.stop())
    outcomes.push(await start)
    assert.equal(await isListening(port), false, `after ${turns} turns the port is still open`)
  }
  t.diagnostic(
    `stopped in ${outcomes.length} moments: ${outcomes.filter(o => o === 'STOPPED').length} were during the start`,
  )
  assert.ok(outcomes.includes('STOPPED'))
  assert.deepEqual(new Set(outcomes.slice(0, -1)), new Set(['STOPPED']))
  // The data folder is free as well.
  await node.start()
  assert.equal(await isListening(port), true)
})

test('a node that was stopped starts again, with its identity and its subscriptions', {
  timeout: 20_000,
}, async t => {
  const { nodes, inboxes } = await acceptingLine(t, 2)
  const [first, last] = nodes as [Node, Node]
  const { peer } = last
  await propagateText(first, 'before')
  await until('it is there', () => inboxes[1]?.length === 1)

  await last.stop()
  await until('the other has noticed', () => first.peers().length === 0)
  await last.start()
  assert.equal(last.peer, peer)
  assert.deepEqual(last.topicStats(TOPIC)?.received, 0)
  await first.connect(addressOf(last))
  await untilMeshed([first, last])
  await propagateText(first, 'after')
  // What was accepted in the last minute is offered to whoever connects: also what it had before it was stopped.
  await until('that is there too', () => inboxes[1]?.some(({ text }) => text === 'after') === true)
})

test('a start that fails says why, and can be tried again', { timeout: 20_000 }, async t => {
  const [other] = (await startNodes(t, 1)) as [Node]
  const port = Number(addressOf(other).split('/')[4])
  const node = await makeNode(t, { listen: [`/ip4/127.0.0.1/tcp/${port}`], dataDir: temporaryFolder(t) })
  await assert.rejects(node.start(), /EADDRINUSE/)
  await other.stop()
  await node.start()
  assert.equal(await isListening(port), true)
})

test('what needs a started node says so', { timeout: 20_000 }, async t => {
  const node = await makeNode(t)
  const calls = [
    () => propagateText(node, 'text'),
    () => node.connect('/ip4/127.0.0.1/tcp/1'),
    () => node.disconnect(node.peer),
    () => node.ping('/ip4/127.0.0.1/tcp/1'),
    () => node.metrics(),
  ]
  for (const call of calls) await assert.rejects(call, { code: 'NOT_STARTED' })
  await node.start()
  await node.stop()
  for (const call of calls) await assert.rejects(call, { code: 'NOT_STARTED' })
})

/** Accepts connections and never says a word. */
async function silentAddress(t: TestContext): Promise<{ address: string; accepted: Socket[] }> {
  const accepted: Socket[] = []
  const server = createServer(socket => accepted.push(socket.on('error', () => {}))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  return { address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`, accepted }
}

test('a stop does not wait for dials, and they end with it', { timeout: 20_000 }, async t => {
  const { address, accepted } = await silentAddress(t)
  const config = { peers: [address], connections: { dialTimeoutMs: 60_000, upgradeTimeoutMs: 60_000 } }
  const [node] = (await startNodes(t, 1, config)) as [Node]
  const ends = [
    assert.rejects(node.connect(address), { code: 'STOPPED' }),
    assert.rejects(node.connect(address, { keep: true }), { code: 'STOPPED' }),
    assert.rejects(node.ping(address), { code: 'STOPPED' }),
  ]
  await until('a dial is under way', () => accepted.length > 0)
  await within('the stop', PROMPT_MS, node.stop())
  await within('the ends of the dials', PROMPT_MS, Promise.all(ends))
})

test('what was propagated before a stop arrives', { timeout: 20_000 }, async t => {
  const { nodes, inboxes } = await acceptingLine(t, 2)
  const [first] = nodes as [Node, Node]
  const small = Array.from({ length: 200 }, (_, number) => `message ${number}`)
  const large = ['a', 'b', 'c'].map(letter => letter.repeat(900_000))
  const texts = [...small, ...large]
  const results = texts.map(text => propagateText(first, text))
  await first.stop()
  assert.deepEqual(new Set((await Promise.all(results)).map(({ recipients }) => recipients)), new Set([1]))
  await until('all is there', () => inboxes[1]?.length === texts.length)
})

test('a topic can be left and joined again', { timeout: 20_000 }, async t => {
  const { nodes, inboxes } = await acceptingLine(t, 2)
  const [first, last] = nodes as [Node, Node]
  last.unsubscribe(TOPIC)
  last.unsubscribe(TOPIC)
  assert.equal(last.topicStats(TOPIC), undefined)
  await until('the other knows', () => first.topicStats(TOPIC)?.subscribers === 0)
  gather(last)
  await until('the other knows again', () => first.topicStats(TOPIC)?.subscribers === 1)
  await propagateText(first, 'heard')
  await until('it is there', () => inboxes[1]?.some(({ text }) => text === 'heard') === true)
  assert.throws(() => last.subscribe(TOPIC, () => 'accept'), { code: 'TOPIC' })
})
