/** Verdicts, holds and modes over the network, case by case. */
import { messageId, messageKey } from '../../../src/core/hash.ts'
import type { Mode, TopicOptions } from '../../../src/core/upper.ts'
import { type CaseOptions, payloadOf, runCases, SpreadNet } from './spread-net.ts'

/** A line of three, and a network around it: whoever is behind node 1 has everything from node 1. */
const LINE: Pick<CaseOptions, 'count' | 'links'> = {
  count: 4,
  links: [
    [0, 1],
    [1, 2],
    [2, 3],
  ],
}

async function spread(
  name: string,
  options: CaseOptions,
  sizeBytes: number,
  withinMs = 30_000,
): Promise<Record<string, unknown>> {
  const net = await SpreadNet.open(name, options)
  const payload = payloadOf(name, sizeBytes)
  const { recipients } = await net.propagate(0, payload)
  const ms = await net.until(payload, options.count - 1, withinMs)
  const found = {
    ms,
    recipients,
    reached: net.reached(payload),
    late: net.nodes.map((_, index) => net.stats(index)?.late ?? 0),
    blamed: net.blamed(),
    repeats: net.repeats,
  }
  await net.close()
  return found
}

/** A child is handed out before its parent. */
async function childFirst(name: string, topic: TopicOptions, sizeBytes: number) {
  const parent = payloadOf(`${name} parent`, sizeBytes)
  const child = payloadOf(`${name} child`, sizeBytes)
  const parentId = messageId(name, parent)
  const accepted = new Set<string>()
  const isChild = (payload: Uint8Array): boolean => Buffer.from(payload.subarray(0, 64)).includes('child')
  const net = new SpreadNet(name, {
    ...LINE,
    topic,
    handlerOf:
      ({ name: node }) =>
      ({ payload }) => {
        if (!isChild(payload)) {
          accepted.add(node)
          return 'accept'
        }
        return accepted.has(node) ? 'accept' : { hold: [parentId] }
      },
  })
  await net.start()
  await net.propagate(0, child)
  await net.world.run(3_000)
  const before = net.reached(child)
  await net.propagate(0, parent)
  const ms = await net.until(child, 3, 30_000)
  const order = [1, 2, 3].map(
    index => (net.reachedAtMs(parent, index) ?? Infinity) <= (net.reachedAtMs(child, index) ?? 0),
  )
  const found = {
    before,
    ms,
    order,
    reached: [net.reached(parent), net.reached(child)],
    blamed: net.blamed(),
    worst: net.worstScore(),
    repeats: net.repeats,
  }
  await net.close()
  return found
}

/** A child comes from somebody who has its parent and has not announced it, and takes its time to hand it out. */
async function missingParent(name: string, answerAfterMs: number) {
  const parent = payloadOf(`${name} parent`, 300)
  const child = payloadOf(`${name} child`, 300)
  const parentId = messageId(name, parent)
  const accepted = new Set<string>()
  const net = new SpreadNet(name, {
    ...LINE,
    topic: { mode: 'ask' },
    handlerOf:
      ({ name: node }) =>
      ({ payload }) => {
        const isParent = Buffer.from(payload.subarray(0, 64)).includes('parent')
        if (isParent) accepted.add(node)
        return isParent || accepted.has(node) ? 'accept' : { hold: [parentId] }
      },
  })
  await net.start()
  const sender = await net.hostile('sender', [0])
  const payloads = new Map([parent, child].map(one => [messageKey(messageId(name, one)), one]))
  sender.onAsk = (from, { ask }) => {
    for (const key of ask) {
      const payload = payloads.get(key)
      if (payload === undefined) continue
      const isParent = payload === parent
      sender.later(isParent ? answerAfterMs : 0, () => sender.sendAsk(from, { payloads: [payload] }))
    }
  }
  await sender.announce([child])
  const ms = await net.until(child, 4, 30_000)
  await net.world.run(2_000)
  const found = {
    ms,
    reached: [net.reached(parent), net.reached(child)],
    blamed: net.blamed(new Map([[sender.peer, 'sender']])),
    repeats: net.repeats,
  }
  await net.close()
  return found
}

const late = (afterMs: number) => (): Promise<boolean> =>
  new Promise(resolve => setTimeout(() => resolve(true), afterMs))

async function alone(name: string, mode: Mode, sizeBytes: number) {
  const net = await SpreadNet.open(name, { count: 1, links: [], topic: { mode } })
  const payload = payloadOf(name, sizeBytes)
  const first = await net.propagate(0, payload)
  const node = await net.add()
  await net.world.start([node])
  await net.connect([[1, 0]])
  await net.world.run(4_000)
  const again = await net.propagate(0, payload)
  const ms = await net.until(payload, 1, 10_000)
  const found = { first: first.recipients, seen: again.seen, again: again.recipients, ms }
  await net.close()
  return found
}

/** Half of the nodes know no mode but flood, as bare gossipsub peers do. */
async function mixed(name: string, sizeBytes: number) {
  const net = await SpreadNet.open(name, {
    count: 6,
    topic: { quickVerify: () => true },
    topicOf: index => ({ mode: index % 2 === 0 ? 'auto' : 'flood' }),
  })
  const found: unknown[] = []
  for (const from of [0, 1]) {
    const payload = payloadOf(`${name} ${from}`, sizeBytes)
    await net.propagate(from, payload)
    await net.world.run(4_000)
    found.push(net.reached(payload))
  }
  await net.close()
  return found
}

const BIG: TopicOptions = { maxPayloadBytes: 2 ** 25, keepMaxBytes: 2 ** 26 }
const quick = () => true

await runCases({
  'holds, flood': () => childFirst('hold-flood', { mode: 'flood' }, 300),
  'holds, ask': () => childFirst('hold-ask', { mode: 'ask' }, 300),
  'holds, swarm': () => childFirst('hold-swarm', { mode: 'swarm' }, 30_000),
  'holds, swarm with quickVerify': () =>
    childFirst('hold-quick', { mode: 'swarm', quickVerify: quick }, 30_000),
  'a missing parent': () => missingParent('missing', 0),
  'a missing parent that comes late': () => missingParent('missing-late', 400),
  'no quickVerify': () => spread('store', { ...LINE, topic: { mode: 'swarm' } }, 100_000),
  'a late quick verdict, ask': () =>
    spread('late-ask', { ...LINE, topic: { mode: 'ask', quickVerify: late(1_000) } }, 300),
  'a late quick verdict, swarm': () =>
    spread('late-swarm', { ...LINE, topic: { mode: 'swarm', quickVerify: late(1_000) } }, 100_000),
  'a late verdict, swarm': () =>
    spread('late-full', { ...LINE, topic: { mode: 'swarm' }, handler: late(3_000) }, 100_000),
  'a late verdict, ask': () =>
    spread('late-full-ask', { ...LINE, topic: { mode: 'ask' }, handler: late(3_000) }, 300),
  '16 MB, swarm': () =>
    spread('big-swarm', { ...LINE, topic: { mode: 'swarm', quickVerify: quick, ...BIG } }, 16_000_000),
  '16 MB, auto': () => spread('big-auto', { ...LINE, topic: { mode: 'auto', ...BIG } }, 16_000_000),
  'nobody, flood': () => alone('alone-flood', 'flood', 300),
  'nobody, ask': () => alone('alone-ask', 'ask', 300),
  'nobody, swarm': () => alone('alone-swarm', 'swarm', 100_000),
  'mixed, small': () => mixed('mixed-small', 300),
})
