/**
 * Our own protocols over real sockets. One side is a host of ours, the other one too, or a peer that says what it
 * likes.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Connection, Stream } from '@libp2p/interface'
import type { ProtocolLimits } from '../../src/core/ports.ts'
import { until, within } from '../e2e/support/until.ts'
import { dialBare, startBarePeer, startHost, type TestHost } from './hosts.ts'

const PROTOCOL = '/floodgate/test/echo/1'
const LIMITS: ProtocolLimits = { frameMaxBytes: 1_000, timeoutMs: 5_000 }
const QUICK: ProtocolLimits = { frameMaxBytes: 1_000, timeoutMs: 300 }
const HELLO = Buffer.from('hello')

type Handle = (frame: Uint8Array) => Promise<Uint8Array | undefined>

const echo: Handle = async frame => frame

function serving(t: TestContext, handle: Handle, limits = LIMITS): Promise<TestHost> {
  return startHost(t, {
    prepare: ({ host }) => host.serve(PROTOCOL, limits, (_peer, frame) => handle(frame)),
  })
}

/** A host that serves, and one that is connected to it. */
async function pair(t: TestContext, handle: Handle, limits = LIMITS) {
  const server = await serving(t, handle, limits)
  const client = await startHost(t)
  await client.host.dial(server.address)
  const ask = (frame: Uint8Array, own = limits) => client.host.request(server.host.peer, PROTOCOL, frame, own)
  return { server, client, ask }
}

/** A host that serves, and a peer that is connected to it and writes by hand. */
async function withBare(t: TestContext, handle: Handle, limits = LIMITS) {
  const server = await serving(t, handle, limits)
  const peer = await startBarePeer(t)
  const connection = await dialBare(peer, server.address)
  return { server, peer, connection, open: () => connection.newStream(PROTOCOL) }
}

/** A host that is connected to a peer that answers by hand. */
async function askingBare(t: TestContext, answer: (stream: Stream) => void) {
  const peer = await startBarePeer(t)
  await peer.handle(PROTOCOL, answer)
  const client = await startHost(t)
  const [address] = peer.getMultiaddrs()
  await client.host.dial(String(address))
  const id = peer.peerId.toString()
  return { peer, client, id, ask: (limits = LIMITS) => client.host.request(id, PROTOCOL, HELLO, limits) }
}

function ended(stream: Stream): Promise<Error | undefined> {
  return within(
    'the stream has ended',
    5_000,
    new Promise(resolve => {
      if (stream.status !== 'open') resolve(undefined)
      stream.addEventListener('close', ({ error }) => resolve(error))
    }),
  )
}

/** Streams of our protocol on a connection of a bare peer. */
function streamsOf(connection: Connection): number {
  return connection.streams.filter(stream => stream.protocol === PROTOCOL).length
}

describe('request', () => {
  test('carries a frame there and one back', async t => {
    const { ask, server, client } = await pair(t, async frame => Buffer.concat([frame, Buffer.from('!')]))
    assert.equal(Buffer.from(await ask(HELLO)).toString(), 'hello!')
    assert.deepEqual([...server.told.offences, ...client.told.offences], [])
  })

  test('carries frames of a megabyte and of nothing', async t => {
    const limits = { frameMaxBytes: 1_048_576, timeoutMs: 5_000 }
    const { ask } = await pair(t, echo, limits)
    const large = Buffer.alloc(limits.frameMaxBytes, 'x')
    assert.ok(large.equals(await ask(large)))
    assert.equal((await ask(new Uint8Array(0))).byteLength, 0)
  })

  test('gives nothing when the other side has nothing to say', async t => {
    const { ask } = await pair(t, async () => undefined)
    assert.equal((await ask(HELLO)).byteLength, 0)
  })

  test('one after the other never runs into the limit of streams', async t => {
    const { ask } = await pair(t, echo)
    for (let i = 0; i < 50; i++) assert.equal((await ask(HELLO)).byteLength, HELLO.byteLength)
  })

  test('NO_PEER without a connection, ADDRESS for what is no peer id', async t => {
    const { client, server } = await pair(t, echo)
    const stranger = await startHost(t)
    await assert.rejects(client.host.request(stranger.host.peer, PROTOCOL, HELLO, LIMITS), {
      code: 'NO_PEER',
    })
    await assert.rejects(server.host.request('somebody', PROTOCOL, HELLO, LIMITS), { code: 'ADDRESS' })
  })

  test('PROTOCOL when it is not spoken', async t => {
    const { client, server } = await pair(t, echo)
    const asking = client.host.request(server.host.peer, '/floodgate/test/other/1', HELLO, LIMITS)
    await assert.rejects(asking, { code: 'PROTOCOL', message: /does not speak/ })
    assert.deepEqual(client.told.offences, [])
  })

  test('an answer that is too long is refused, and an offence', async t => {
    const { ask, client, server } = await pair(t, async () => new Uint8Array(900), LIMITS)
    await assert.rejects(ask(HELLO, { ...LIMITS, frameMaxBytes: 899 }), {
      code: 'PROTOCOL',
      message: /frame of 900 bytes, limit 899/,
    })
    assert.deepEqual(
      client.told.offences.map(({ peer, offence }) => [peer, offence]),
      [[server.host.peer, 'malformed']],
    )
  })

  test('a frame of ours that is too long is our mistake', async t => {
    const { ask } = await pair(t, echo)
    await assert.rejects(ask(new Uint8Array(1_001)), { name: 'AssertionError' })
  })

  const silent: { id: string; answer: (stream: Stream) => void }[] = [
    { id: 'says nothing', answer: () => {} },
    { id: 'promises a frame and sends none', answer: stream => void stream.send(Uint8Array.of(100)) },
    { id: 'stops in the middle', answer: stream => void stream.send(Uint8Array.of(100, 1, 2, 3)) },
  ]
  for (const { id, answer } of silent) {
    test(`TIMEOUT when the other side ${id}`, async t => {
      const { ask, peer, client } = await askingBare(t, answer)
      await assert.rejects(ask(QUICK), { code: 'TIMEOUT' })
      await until('the stream is gone at the other side', () =>
        peer.getConnections().every(it => streamsOf(it) === 0),
      )
      assert.deepEqual(client.told.offences, [])
    })
  }

  const broken: { id: string; answer: (stream: Stream) => void; code: string; offences: string[] }[] = [
    {
      id: 'ends in the middle',
      answer: stream => {
        stream.send(Uint8Array.of(100, 1, 2, 3))
        void stream.close()
      },
      code: 'PROTOCOL',
      offences: ['malformed'],
    },
    { id: 'resets the stream', answer: stream => stream.abort(new Error('no')), code: 'DIAL', offences: [] },
    {
      id: 'sends a length without end',
      answer: stream => void stream.send(new Uint8Array(100_000).fill(0x80)),
      code: 'PROTOCOL',
      offences: ['malformed'],
    },
  ]
  for (const { id, answer, code, offences } of broken) {
    test(`${code} when the other side ${id}`, async t => {
      const { ask, client } = await askingBare(t, answer)
      await assert.rejects(ask(), { code })
      assert.deepEqual(
        client.told.offences.map(({ offence }) => offence),
        offences,
      )
    })
  }

  test('an answer is given at once, and the stream is cut when the other side keeps it open', async t => {
    const { ask, client, peer } = await askingBare(t, stream => void stream.send(Uint8Array.of(1, 7)))
    assert.deepEqual(await ask(QUICK), Uint8Array.of(7))
    await until('the stream is cut', () => peer.getConnections().every(it => streamsOf(it) === 0))
    assert.deepEqual(client.told.offences, [])
  })

  test('more after the answer is an offence', async t => {
    const { ask, client } = await askingBare(t, stream => {
      stream.send(Uint8Array.of(1, 7))
      setImmediate(() => void stream.send(Uint8Array.of(8)))
    })
    await ask().catch(() => {})
    await until('it is told', () => client.told.offences.length > 0)
    assert.equal(client.told.offences[0]?.offence, 'malformed')
  })

  test('ends when the connection does', async t => {
    const { ask, peer } = await askingBare(t, () => {
      for (const connection of peer.getConnections()) connection.abort(new Error('gone'))
    })
    await assert.rejects(ask(), { code: 'DIAL' })
  })
})

describe('serve', () => {
  const wrong: { id: string; bytes: readonly number[]; closes: boolean; offences: string[] }[] = [
    { id: 'a frame that is too long', bytes: [0xe9, 0x07], closes: false, offences: ['malformed'] },
    { id: 'a length without end', bytes: Array(5_000).fill(0x80), closes: false, offences: ['malformed'] },
    { id: 'a frame that ends in the middle', bytes: [5, 1, 2], closes: true, offences: ['malformed'] },
    { id: 'a length that ends in the middle', bytes: [0x80], closes: true, offences: ['malformed'] },
    { id: 'more than a frame', bytes: [1, 1, 1], closes: false, offences: ['malformed'] },
    { id: 'no frame at all', bytes: [], closes: true, offences: [] },
  ]
  for (const { id, bytes, closes, offences } of wrong) {
    test(`${id}: ${offences[0] ?? 'no offence'}, and the stream ends`, async t => {
      let handled = 0
      const { server, peer, open } = await withBare(t, async frame => {
        handled++
        return frame
      })
      const stream = await open()
      const end = ended(stream)
      if (bytes.length > 0) stream.send(Uint8Array.from(bytes))
      if (closes) await stream.close()
      await end
      assert.deepEqual(
        server.told.offences.map(({ peer, offence }) => [peer, offence]),
        [...offences.map(offence => [peer.peerId.toString(), offence])],
      )
      assert.equal(handled, 0)
    })
  }

  test('a stream that is reset in the middle is no offence', async t => {
    const { server, connection, open } = await withBare(t, echo)
    const stream = await open()
    stream.send(Uint8Array.of(5, 1))
    stream.abort(new Error('changed my mind'))
    await answers(await open())
    assert.deepEqual(server.told.offences, [])
    assert.equal(connection.status, 'open')
  })

  test('a peer that promises a frame and sends none is cut at the deadline, and may ask again', async t => {
    const { server, open } = await withBare(t, echo, QUICK)
    const stuck = await Promise.all([open(), open()])
    const ends = stuck.map(ended)
    for (const stream of stuck) stream.send(Uint8Array.of(200))
    for (const error of await Promise.all(ends)) assert.ok(error !== undefined, 'it was not reset')
    await answers(await open())
    assert.deepEqual(server.told.offences, [])
  })

  test('a peer that does not close its side after the answer is cut at the deadline', async t => {
    const { connection, open } = await withBare(t, echo, QUICK)
    const stream = await open()
    stream.send(Uint8Array.of(1, 7))
    assert.ok((await ended(stream)) !== undefined, 'it was not reset')
    assert.equal(streamsOf(connection), 0)
  })

  test('a handler that throws costs its stream and a log line', async t => {
    let calls = 0
    const { ask, server } = await pair(t, async frame => {
      if (calls++ === 0) throw new Error('out of order')
      return frame
    })
    await assert.rejects(ask(HELLO), { code: 'DIAL' })
    assert.equal((await ask(HELLO)).byteLength, HELLO.byteLength)
    assert.equal(server.logged.filter(line => line.includes('out of order')).length, 1)
    assert.deepEqual(server.told.offences, [])
  })

  test('a handler that answers more than allowed costs the same', async t => {
    const { ask, server } = await pair(t, async () => new Uint8Array(1_001))
    await assert.rejects(ask(HELLO), { code: 'DIAL' })
    assert.equal(server.logged.filter(line => line.includes('our frame of 1001 bytes')).length, 1)
  })

  test('a handler that never answers is left behind at the deadline', async t => {
    let calls = 0
    const { ask } = await pair(
      t,
      frame => (calls++ < 2 ? new Promise(() => {}) : Promise.resolve(frame)),
      QUICK,
    )
    const stuck = await Promise.allSettled([ask(HELLO, LIMITS), ask(HELLO, LIMITS)])
    assert.deepEqual(
      stuck.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    assert.equal((await ask(HELLO)).byteLength, HELLO.byteLength)
  })

  test('a thousand streams of one peer: two at a time, and others are served meanwhile', async t => {
    let handling = 0
    let most = 0
    const release = Promise.withResolvers<void>()
    const { server, connection, open } = await withBare(t, async frame => {
      most = Math.max(most, ++handling)
      await release.promise
      handling--
      return frame
    })
    const other = await startHost(t)
    await other.host.dial(server.address)
    const opened = await Promise.allSettled(
      Array.from({ length: 1_000 }, async () => {
        const stream = await connection.newStream(PROTOCOL, { maxOutboundStreams: 1_000 })
        stream.send(Uint8Array.of(1, 7))
        return stream
      }),
    )
    await until('two are handled', () => handling === 2)
    const asked = other.host.request(server.host.peer, PROTOCOL, HELLO, LIMITS)
    await until('the other one is handled too', () => handling === 3)
    release.resolve()
    assert.equal((await asked).byteLength, HELLO.byteLength)
    assert.equal(most, 3)
    const streams = opened.flatMap(it => (it.status === 'fulfilled' ? [it.value] : []))
    for (const stream of streams.filter(it => it.status === 'open')) await stream.close().catch(() => {})
    await until('all streams are gone', () => streamsOf(connection) === 0)
    await answers(await open())
    assert.deepEqual(server.told.offences, [])
  })
})

/** Asks by hand, and checks the echo. */
async function answers(stream: Stream): Promise<void> {
  const received: number[] = []
  stream.addEventListener('message', ({ data }) => void received.push(...data.subarray()))
  const end = ended(stream)
  stream.send(Uint8Array.of(2, 7, 8))
  await stream.close()
  await end
  assert.deepEqual(received, [2, 7, 8])
}
