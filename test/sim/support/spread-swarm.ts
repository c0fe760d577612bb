/** Faults of origins and neighbours in mode `swarm`, case by case. */
import type { TopicOptions } from '../../../src/core/upper.ts'
import { encodeSwarm } from '../../../src/gossip/announcement.ts'
import { merkleTree } from '../../../src/gossip/merkle.ts'
import { swarmKey } from '../../../src/gossip/swarm-frame.ts'
import { type CaseOptions, payloadOf, runCases, SpreadNet } from './spread-net.ts'

const SIZE_BYTES = 100_000
const HEADER_BYTES = 80

/** Headers are cut off and accepted by themselves, and payloads of which a byte was flipped are rejected. */
const SWARM: TopicOptions = {
  mode: 'swarm',
  quickVerify: () => true,
  header: payload => payload.subarray(0, HEADER_BYTES),
}

const SPOILT = 0xff

const OPTIONS: CaseOptions = {
  count: 5,
  topic: SWARM,
  handler: ({ payload }) => payload[HEADER_BYTES] !== SPOILT,
}

/** A line, so that all but one node have everything from an honest one. */
const LINE: CaseOptions = {
  ...OPTIONS,
  links: [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
  ],
}

/** The origin takes its time, so that others are asked as well. */
const SLOW: CaseOptions = { ...OPTIONS, place: index => (index === 0 ? { upBitsPerSecond: 1_000_000 } : {}) }

type Hostile = Awaited<ReturnType<SpreadNet['hostile']>>

async function play(
  name: string,
  options: CaseOptions,
  victims: readonly number[],
  act: (net: SpreadNet, hostile: Hostile, payload: Uint8Array) => Promise<unknown>,
) {
  const net = await SpreadNet.open(name, options)
  const hostile = await net.hostile('h', victims)
  const payload = honest(name)
  const extra = await act(net, hostile, payload)
  await net.propagate(0, payload)
  const ms = await net.until(payload, net.nodes.length - 1, 60_000)
  await net.world.run(3_000)
  const found = {
    ms,
    extra,
    reached: net.reached(payload),
    blamed: net.blamed(new Map([[hostile.peer, 'hostile']])),
    scores: net.nodes.map((_, index) => Math.round(net.score(index, hostile.peer) ?? 0)),
    accusers: net.accusers(hostile.peer),
    worst: net.worstScore(),
    repeats: net.repeats,
  }
  await net.close()
  return found
}

function honest(name: string): Uint8Array {
  const payload = payloadOf(name, SIZE_BYTES)
  payload[HEADER_BYTES] = 1
  return payload
}

/** The same header, and another payload. */
function spoilt(payload: Uint8Array): Uint8Array {
  const other = payload.slice()
  other[HEADER_BYTES] = SPOILT
  return other
}

/** Fields of an announcement of a swarm, for what our own encoder refuses. */
function rawHead(sizeBytes: number, chunkBytes: number): Uint8Array {
  const varint = (value: number): number[] => {
    const bytes: number[] = []
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
    return [...bytes, rest]
  }
  const block = (tag: number, size: number): number[] => [tag, size, ...new Array<number>(size).fill(65)]
  const head = [
    ...block(0x0a, 20),
    0x10,
    ...varint(sizeBytes),
    0x18,
    ...varint(chunkBytes),
    ...block(0x22, 20),
    ...block(0x32, 52),
    ...block(0x3a, 64),
  ]
  return Uint8Array.from([0x1a, ...varint(head.length), ...head])
}

await runCases({
  'a chunk with a wrong proof': () =>
    play('proof', SLOW, [1, 2, 3, 4], async (net, hostile, payload) => {
      const head = await hostile.head(payload, { header: payload.slice(0, HEADER_BYTES) })
      const key = swarmKey(head)
      const tree = merkleTree(payload, head.chunkBytes)
      hostile.onSwarm = (from, frame) => {
        if (frame.key !== key) return
        if (frame.ask.length === 0) hostile.sendSwarm(from, key, { complete: true })
        for (const index of frame.ask) {
          const data = payload.slice(index * head.chunkBytes, (index + 1) * head.chunkBytes)
          hostile.sendSwarm(from, key, { chunk: { index, data, proof: tree.proof((index + 1) % 12) } })
        }
      }
      // It says so before anybody else can.
      for (const node of net.nodes) hostile.sendSwarm(node.peer, key, { complete: true })
      await net.world.run(50)
    }),
  'a root that does not match its size': () =>
    play('size', OPTIONS, [1, 2, 3, 4], async (net, hostile, payload) => {
      const sizeBytes = SIZE_BYTES + 3 * 8_192
      const header = payload.slice(0, HEADER_BYTES)
      await hostile.serve(await hostile.head(payload, { header, sizeBytes }), payload)
      await net.world.run(200)
    }),
  'an announcement of 4 GiB': () =>
    play('huge', OPTIONS, [1, 2, 3, 4], async (net, hostile) => {
      await hostile.publish(rawHead(2 ** 32, 2 ** 20))
      for (const node of net.nodes.slice(1)) {
        hostile.sendAsk(node.peer, { offer: rawHead(2 ** 32 - 1, 2 ** 20) })
      }
      await net.world.run(500)
    }),
  'an announcement of 64 MiB': () =>
    play('large', OPTIONS, [1, 2, 3, 4], async (net, hostile, payload) => {
      const lies = { sizeBytes: 2 ** 26, chunkBytes: 2 ** 16, header: payload.slice(0, HEADER_BYTES) }
      const root = merkleTree(payload, 8_192).root
      await hostile.publish(encodeSwarm(await hostile.head(payload, { ...lies, root })))
      await net.world.run(500)
    }),
  'two payloads under one id': () =>
    play('twins', LINE, [1], async (net, hostile, payload) => {
      const { id } = await hostile.head(payload)
      const other = honest('another')
      const head = await hostile.head(other, { id, header: other.slice(0, HEADER_BYTES) })
      await hostile.serve(head, other)
      await net.world.run(5_000)
      return net.reached(other)
    }),
  'two payloads under one id and header': () =>
    play('siblings', LINE, [1], async (net, hostile, payload) => {
      const header = payload.slice(0, HEADER_BYTES)
      const { id } = await hostile.head(payload)
      const other = spoilt(payload)
      await hostile.serve(await hostile.head(other, { id, header }), other)
      await net.world.run(5_000)
      return net.reached(other)
    }),
  'a flipped byte behind a valid header': () =>
    play('flipped', LINE, [1], async (net, hostile, payload) => {
      const other = spoilt(payload)
      await hostile.serve(await hostile.head(other, { header: payload.slice(0, HEADER_BYTES) }), other)
      await net.world.run(5_000)
      return {
        reached: net.reached(other),
      }
    }),
  'one header under 1,000 roots': () =>
    play('roots', LINE, [0, 1, 2, 3, 4], async (net, first, payload) => {
      // Two senders take all the places of a header.
      const second = await net.hostile('h2', [0, 1, 2, 3, 4])
      const header = payload.slice(0, HEADER_BYTES)
      for (let number = 0; number < 1_000; number++) {
        const root = Buffer.alloc(20)
        root.writeUInt32BE(number)
        const hostile = number % 2 === 0 ? first : second
        hostile.publishLater(encodeSwarm(await hostile.head(payload, { header, root })))
        if (number % 20 === 19) await net.world.run(20)
      }
      await net.world.run(500)
      return Math.max(...(await net.metrics('floodgate_swarms')))
    }),
})
