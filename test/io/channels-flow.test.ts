/**
 * Channels that have more to send than goes: what waits is bounded, and nobody else on the connection goes short.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Connection, Stream } from '@libp2p/interface'
import type { Channel, ChannelLimits } from '../../src/core/ports.ts'
import type { PeerId } from '../../src/core/types.ts'
import { until, within } from '../e2e/support/until.ts'
import {
  numbered,
  OTHER,
  PROTOCOL,
  pair,
  type Speaker,
  socketOf,
  startSpeaker,
  withBare,
} from './channel-hosts.ts'
import { type BarePeer, startHost, type TestHost } from './hosts.ts'

/** Fills a channel until it takes no more. @returns what was taken */
function fill(channel: Channel, peer: PeerId, frame: Uint8Array): number {
  let count = 0
  while (channel.send(peer, frame)) assert.ok(++count < 100_000, 'the channel takes everything')
  return count
}

/** Sends whenever there is room, until it takes no more for good. */
async function saturate(channel: Channel, peer: PeerId, frame: Uint8Array): Promise<void> {
  let still = 0
  while (still < 20) {
    still = fill(channel, peer, frame) === 0 ? still + 1 : 0
    const { promise, resolve } = Promise.withResolvers<void>()
    setImmediate(resolve)
    await promise
  }
}

describe('a receiver that never reads', () => {
  const limits: ChannelLimits = { frameMaxBytes: 16_384, waitingMaxBytes: 2_000_000 }
  const frame = new Uint8Array(16_384)

  async function reads(t: TestContext, stall: (peer: BarePeer, stream: Stream) => () => void) {
    const all = await withBare(t, { limits })
    const { speaker, id, peer, streams } = all
    assert.ok(await speaker.channel.open(id))
    await until('the stream is there', () => streams.length === 1)
    const [stream] = streams as [Stream]
    let receivedBytes = 0
    stream.addEventListener('message', ({ data }) => {
      receivedBytes += data.byteLength
    })
    const resume = stall(peer, stream)
    await saturate(speaker.channel, id, frame)
    return { ...all, resume, received: () => receivedBytes }
  }

  const ways: { id: string; stall: (peer: BarePeer, stream: Stream) => () => void }[] = [
    {
      id: 'its stream',
      stall: (_, stream) => {
        stream.pause()
        return () => stream.resume()
      },
    },
    {
      id: 'its socket',
      stall: peer => {
        const [connection] = peer.getConnections() as [Connection]
        socketOf(connection).pause()
        return () => void socketOf(connection).resume()
      },
    },
  ]
  for (const { id: what, stall } of ways) {
    test(`${what}: what waits is bounded, others are served, and it drains when it reads again`, async t => {
      const { speaker, id, resume } = await reads(t, stall)
      assert.equal(speaker.channel.send(id, frame), false)
      const waiting = speaker.channel.waitingBytes(id)
      assert.ok(waiting > limits.waitingMaxBytes - 16_400, `${waiting}`)
      assert.ok(waiting <= limits.waitingMaxBytes, `${waiting}`)

      const other = await startSpeaker(t, { limits })
      await speaker.host.dial(other.address)
      await speaker.channel.open(other.host.peer)
      assert.ok(speaker.channel.send(other.host.peer, frame))
      await until('the other one has it', () => other.frames.length === 1)

      const before = speaker.heard.length
      resume()
      await until('it is told', () => speaker.heard.length > before)
      assert.deepEqual(speaker.heard.slice(before), [`drained ${id}`])
      assert.ok(speaker.channel.waitingBytes(id) < limits.waitingMaxBytes / 4)
      assert.ok(speaker.channel.send(id, frame))
      await until('nothing waits', () => speaker.channel.waitingBytes(id) === 0)
    })
  }

  test('that goes away, or is closed, leaves nothing', async t => {
    const { speaker, id } = await reads(t, (ways[0] as (typeof ways)[0]).stall)
    speaker.channel.close(id)
    assert.equal(speaker.channel.waitingBytes(id), 0)
    assert.equal(speaker.heard.at(-1), `closed ${id}`)
  })

  test('whose connection is cut lets go of all that waits', async t => {
    const { speaker, id, peer } = await reads(t, (ways[0] as (typeof ways)[0]).stall)
    // The queue is full: make room for one more, of which nobody else knows.
    const waiting = new WeakRef(numbered(1, 100))
    const isTaken = speaker.channel.send(id, waiting.deref() as Uint8Array)
    assert.ok(isTaken, 'there is no room for a small one')
    for (const connection of peer.getConnections()) socketOf(connection).destroy()
    await until('it is told', () => speaker.heard.at(-1) === `closed ${id}`)
    assert.equal(speaker.channel.waitingBytes(id), 0)
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    await until('the frame is gone', () => {
      gc()
      return waiting.deref() === undefined
    })
  })

  test('stopping does not wait for it, and tells that it is over', async t => {
    const { speaker, id } = await reads(t, (ways[1] as (typeof ways)[1]).stall)
    await within('the host has stopped', 8_000, speaker.host.stop())
    assert.equal(speaker.heard.filter(line => line === `closed ${id}`).length, 1)
    assert.equal(await speaker.channel.open(id), false)
    assert.equal(speaker.channel.send(id, frame), false)
  })
})

test('a sender that goes on at each drain gets everything across', async t => {
  const frame = new Uint8Array(16_384)
  const limits: ChannelLimits = { frameMaxBytes: 16_384, waitingMaxBytes: 200_000 }
  let left = 2_000
  let near: Speaker | undefined
  const go = (peer: PeerId): void => {
    while (left > 0 && near?.channel.send(peer, frame)) left--
  }
  const both = await pair(t, { limits, onDrained: go }, { limits })
  near = both.near
  go(both.to)
  await until('all have come', () => both.far.frames.length === 2_000)
  assert.equal(left, 0)
})

describe('a connection that is full all the time', () => {
  const frame = new Uint8Array(16_384)
  const limits: ChannelLimits = { frameMaxBytes: 16_384, waitingMaxBytes: 1_000_000 }

  /** Two hosts with two channels; the near ones send without end until the test is over. */
  async function flood(t: TestContext) {
    const received = new Map<string, number>([PROTOCOL, OTHER].map(protocol => [protocol, 0]))
    const channels: Channel[] = []
    let isOver = false
    const start = (isNear: boolean): Promise<TestHost> =>
      startHost(t, {
        prepare: ({ host }) => {
          for (const protocol of received.keys()) {
            const go = (peer: PeerId): void => {
              while (isNear && !isOver && channel.send(peer, frame));
            }
            const frameCame = (): void => void received.set(protocol, (received.get(protocol) ?? 0) + 1)
            const events = { opened: go, drained: go, frame: frameCame, closed: () => {} }
            const channel = host.channel(protocol, limits, events)
            if (isNear) channels.push(channel)
          }
        },
      })
    const near = await start(true)
    const far = await start(false)
    t.after(() => {
      isOver = true
    })
    await near.host.dial(far.address)
    for (const channel of channels) assert.ok(await channel.open(far.host.peer))
    return { near, far, received }
  }

  test('lets pings and requests through', async t => {
    const { near, far } = await flood(t)
    for (let i = 0; i < 3; i++) await near.host.ping(`/p2p/${far.host.peer}`)
  })

  test('is shared by its channels', async t => {
    const { received } = await flood(t)
    const counts = (): number[] => [...received.values()]
    await until('much has come', () => Math.max(...counts()) > 1_000)
    assert.ok(Math.min(...counts()) > 700, `${counts()}`)
  })
})
