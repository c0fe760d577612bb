/**
 * Channels over real sockets: what they carry, tell and refuse. One side is a host of ours, the other one too, or a peer
 * that says what it likes.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { until } from '../e2e/support/until.ts'
import {
  ended,
  numbered,
  OTHER,
  offencesOf,
  PROTOCOL,
  pair,
  socketOf,
  startSpeaker,
  streamsOf,
  withBare,
} from './channel-hosts.ts'

describe('a channel', () => {
  test('carries frames of all sizes in order, both ways', async t => {
    const { near, far, to } = await pair(t)
    assert.equal(await far.channel.open(near.host.peer), true)
    const sizes = [0, 1, 127, 128, 8_191, 8_192, 16_384, 70_000, 100_000, 5, 0]
    for (const [index, size] of sizes.entries()) {
      assert.ok(near.channel.send(to, numbered(index, size)))
      assert.ok(far.channel.send(near.host.peer, numbered(index, size)))
    }
    for (const { frames } of [near, far]) {
      await until('all have come', () => frames.length === sizes.length)
      assert.deepEqual(
        frames.map(({ frame }) => frame),
        sizes.map((size, index) => numbered(index, size)),
      )
    }
    assert.deepEqual(near.heard, [`opened ${to}`])
    assert.deepEqual([...offencesOf(near), ...offencesOf(far)], [])
    await until('nothing waits', () => near.channel.waitingBytes(to) === 0)
  })

  test('carries any frames in any ticks', async t => {
    const { near, far, to } = await pair(t)
    const ticks = fc.array(fc.array(fc.nat({ max: 20_000 }), { maxLength: 8 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(ticks, async runs => {
        far.frames.length = 0
        const sent: Uint8Array[] = []
        for (const run of runs) {
          for (const size of run) {
            const frame = numbered(sent.length, size)
            assert.ok(near.channel.send(to, frame))
            sent.push(frame)
          }
          await Promise.resolve()
        }
        await until('all have come', () => far.frames.length === sent.length)
        for (const [index, frame] of sent.entries())
          assert.deepEqual(far.frames[index]?.frame, frame, `${index}`)
      }),
      { numRuns: 25 },
    )
    assert.deepEqual(offencesOf(far), [])
  })

  test('what is sent in one tick leaves as one', async t => {
    const { speaker, id, streams } = await withBare(t)
    assert.ok(await speaker.channel.open(id))
    await until('the stream is there', () => streams.length === 1)
    const pieces: number[] = []
    streams[0]?.addEventListener('message', ({ data }) => void pieces.push(data.byteLength))
    for (let i = 0; i < 100; i++) speaker.channel.send(id, numbered(i, 99))
    await until('it has come', () => pieces.length > 0)
    assert.deepEqual(pieces, [10_000])
  })

  test('opens once, however often it is asked', async t => {
    const { near, far, to } = await pair(t)
    assert.deepEqual(await Promise.all([near.channel.open(to), near.channel.open(to)]), [true, true])
    near.channel.close(to)
    assert.deepEqual(await Promise.all([near.channel.open(to), near.channel.open(to)]), [true, true])
    assert.deepEqual(near.heard, [`opened ${to}`, `closed ${to}`, `opened ${to}`])
    near.channel.send(to, numbered(1, 5))
    await until('it has come', () => far.frames.length === 1)
    assert.deepEqual([...offencesOf(far), ...far.heard], [])
  })

  test('does not open without a connection, or where it is not spoken', async t => {
    const near = await startSpeaker(t)
    const stranger = await startSpeaker(t)
    assert.equal(await near.channel.open(stranger.host.peer), false)
    await assert.rejects(near.channel.open('somebody'), { code: 'ADDRESS' })
    const other = await startSpeaker(t, { protocol: OTHER })
    await near.host.dial(other.address)
    const { peer } = other.host
    assert.equal(await near.channel.open(peer), false)
    assert.equal(near.channel.send(peer, numbered(1, 1)), false)
    assert.equal(near.channel.waitingBytes(peer), 0)
    near.channel.close(peer)
    assert.deepEqual([...near.heard, ...offencesOf(near), ...offencesOf(other)], [])
  })

  test('closed while it opens: it does not', async t => {
    const near = await startSpeaker(t)
    const far = await startSpeaker(t)
    const { peer } = far.host
    await near.host.dial(far.address)
    const opening = near.channel.open(peer)
    near.channel.close(peer)
    assert.equal(await opening, false)
    assert.deepEqual(near.heard, [])
    assert.equal(await near.channel.open(peer), true)
  })

  test('tells when the other side ends the stream, and opens again', async t => {
    const { speaker, id, streams } = await withBare(t)
    for (let round = 1; round <= 5; round++) {
      assert.equal(await speaker.channel.open(id), true)
      await until('the stream is there', () => streams.length === round)
      streams.at(-1)?.abort(new Error('no more'))
      await until('it is told', () => speaker.heard.length === 2 * round)
      assert.equal(speaker.heard.at(-1), `closed ${id}`)
      assert.equal(speaker.channel.send(id, numbered(1, 1)), false)
    }
    assert.deepEqual(offencesOf(speaker), [])
  })

  test('tells when the connection ends', async t => {
    const { near, far, to } = await pair(t)
    await far.channel.open(near.host.peer)
    await far.host.close(near.host.peer)
    await until('both know', () => near.heard.length === 2 && far.heard.length === 2)
    assert.deepEqual(near.heard, [`opened ${to}`, `closed ${to}`])
    assert.deepEqual([...offencesOf(near), ...offencesOf(far)], [])
  })

  test('a frame of ours that is too long, and a limit without room for one, are our mistakes', async t => {
    const { near, to } = await pair(t)
    assert.throws(() => near.channel.send(to, numbered(1, 100_001)), { name: 'AssertionError' })
    await assert.rejects(startSpeaker(t, { limits: { frameMaxBytes: 100, waitingMaxBytes: 100 } }), {
      name: 'AssertionError',
    })
  })

  test('a handler that throws costs the stream and a log line', async t => {
    let calls = 0
    const onFrame = (): void => {
      if (calls++ === 0) throw new Error('out of order')
    }
    const { near, far, to } = await pair(t, {}, { onFrame })
    near.channel.send(to, numbered(1, 1))
    near.channel.send(to, numbered(2, 1))
    await until('the stream has ended', () => near.heard.length === 2)
    assert.equal(calls, 1)
    assert.equal(far.logged.filter(line => line.includes('out of order')).length, 1)
    assert.equal(await near.channel.open(to), true)
    near.channel.send(to, numbered(3, 1))
    await until('the next is read', () => calls === 2)
    assert.deepEqual(offencesOf(far), [])
  })
})

describe('a stream of a peer', () => {
  const wrong: { id: string; bytes: readonly number[]; closes?: boolean; offence: RegExp }[] = [
    { id: 'a frame that is too long', bytes: [0xa1, 0x8d, 0x06], offence: /frame of 100001 bytes/ },
    { id: 'a length without end', bytes: Array(5_000).fill(0x80), offence: /without end/ },
    { id: 'needless bytes in a length', bytes: [0x80, 0x00], offence: /needless/ },
    { id: 'the end in the middle of a frame', bytes: [5, 1, 2], closes: true, offence: /in the middle/ },
    { id: 'the end in the middle of a length', bytes: [0x80], closes: true, offence: /in the middle/ },
  ]
  for (const { id, bytes, closes, offence } of wrong) {
    test(`${id}: an offence, the stream ends, and frames before it count`, async t => {
      const { speaker, connection, open } = await withBare(t)
      const stream = await open()
      const end = ended(stream)
      stream.send(Uint8Array.of(2, 7, 8, ...bytes))
      if (closes) await stream.close()
      assert.ok((await end) !== undefined, 'it was not reset')
      assert.equal(offencesOf(speaker).length, 1)
      assert.match(offencesOf(speaker)[0] ?? '', offence)
      assert.match(offencesOf(speaker)[0] ?? '', /^malformed \/floodgate\/test\/channel\/1: /)
      assert.deepEqual(
        speaker.frames.map(({ frame }) => frame),
        [Uint8Array.of(7, 8)],
      )
      assert.equal(connection.status, 'open')
      const next = await open()
      next.send(Uint8Array.of(1, 9))
      await until('the next stream is read', () => speaker.frames.length === 2)
    })
  }

  test('a byte on the stream that we send on is an offence', async t => {
    const { speaker, id, streams } = await withBare(t)
    assert.ok(await speaker.channel.open(id))
    await until('the stream is there', () => streams.length === 1)
    streams[0]?.send(Uint8Array.of(0))
    await until('it is told', () => speaker.heard.length === 2)
    assert.match(offencesOf(speaker).join(), /^malformed .* bytes on the stream of the other side$/)
  })

  test('that ends properly is closed on our side too', async t => {
    const { speaker, connection, open } = await withBare(t)
    const stream = await open()
    const end = ended(stream)
    stream.send(Uint8Array.of(1, 7))
    await stream.close()
    assert.equal(await end, undefined)
    await until('the frame has come', () => speaker.frames.length === 1)
    assert.equal(streamsOf([connection]), 0)
    assert.deepEqual(offencesOf(speaker), [])
  })

  for (const how of ['stream', 'connection'] as const) {
    test(`a ${how} that is cut in the middle of a frame is no offence`, async t => {
      const { speaker, connection, open } = await withBare(t)
      const stream = await open()
      stream.send(Uint8Array.of(1, 7, 200, 1))
      await until('the frame before has come', () => speaker.frames.length === 1)
      if (how === 'stream') stream.abort(new Error('gone'))
      else socketOf(connection).destroy()
      if (how === 'connection') await until('it is gone', () => speaker.told.disconnected.length === 1)
      else {
        ;(await open()).send(Uint8Array.of(1, 9))
        await until('the next stream is read', () => speaker.frames.length === 2)
      }
      assert.deepEqual(offencesOf(speaker), [])
    })
  }

  test('a newer one takes the place of the older one', async t => {
    const { speaker, connection, open } = await withBare(t)
    const first = await open()
    const end = ended(first)
    first.send(Uint8Array.of(1, 7))
    await until('it is read', () => speaker.frames.length === 1)
    const second = await open()
    second.send(Uint8Array.of(1, 8))
    assert.ok((await end) !== undefined, 'it was not reset')
    await until('the newer one is read', () => speaker.frames.length === 2)
    assert.equal(streamsOf([connection]), 1)
    assert.deepEqual(offencesOf(speaker), [])
  })

  test('fifty at once leave one', async t => {
    const { speaker, connection } = await withBare(t)
    const opened = await Promise.allSettled(
      Array.from({ length: 50 }, async () => {
        const stream = await connection.newStream(PROTOCOL, { maxOutboundStreams: 1_000 })
        if (stream.status === 'open') stream.send(Uint8Array.of(1, 7))
      }),
    )
    assert.ok(
      opened.some(({ status }) => status === 'fulfilled'),
      'not one was opened',
    )
    await until('the others are gone', () => streamsOf([connection]) <= 1)
    assert.deepEqual(offencesOf(speaker), [])
    assert.equal(connection.status, 'open')
  })
})
