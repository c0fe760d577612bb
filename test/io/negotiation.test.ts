/**
 * What may arrive while a protocol is negotiated: pieces of every size on a stream of ours, and hostile streams over real
 * connections.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { MessageStream, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { AbstractStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { createLibp2p } from 'libp2p'
import { boundBytes, Negotiation, watchStream } from '../../src/io/negotiation.ts'
import { until } from '../e2e/support/until.ts'
import { dialBare, startBarePeer, startHost, type TestHost } from './hosts.ts'
import { silentLogger } from './tcp-pair.ts'

const HEADER = '\x13/multistream/1.0.0\n'
const IDENTIFY = '\x0f/ipfs/id/1.0.0\n'

/** A stream that keeps what it is given. */
class TestStream extends AbstractStream {
  readonly read: Uint8Array[] = []

  constructor() {
    super({
      id: '1',
      direction: 'inbound',
      log: silentLogger.forComponent('stream'),
      maxReadBufferLength: 100_000_000,
    } as ConstructorParameters<typeof AbstractStream>[0])
  }

  listen(): this {
    this.addEventListener('message', ({ data }) => this.read.push(data.subarray()))
    return this
  }

  get text(): string {
    return Buffer.concat(this.read).toString('latin1')
  }

  sendData(data: { byteLength: number }): { sentBytes: number; canSendMore: boolean } {
    return { sentBytes: data.byteLength, canSendMore: true }
  }

  sendReset(): void {}
  sendPause(): void {}
  sendResume(): void {}
  async sendCloseWrite(): Promise<void> {}
  async sendCloseRead(): Promise<void> {}
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function begin() {
  const stream = new TestStream().listen()
  const refused: string[] = []
  const rules = {
    isLast: (message: string) => message === '/ours/1',
    isFramed: (protocol: string) => protocol === '/framed',
    refuse: (error: Error) => void refused.push(error.message),
  }
  return { stream, refused, rules }
}

describe('a negotiation', () => {
  test('passes its messages on as they come, and keeps what is behind the last until it is over', () => {
    const talk = `${HEADER}\x03ls\n\x0a/theirs/1\n`
    const property = fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 40 }), sizes => {
      const { stream, refused, rules } = begin()
      const negotiation = new Negotiation(stream, rules)
      let rest = bytes(`${talk}\x08/ours/1\nbehind it \x80\x80\x80\x80\x80\x80`)
      for (const size of sizes) {
        stream.onData(rest.subarray(0, size))
        rest = rest.subarray(size)
      }
      stream.onData(rest)
      assert.equal(stream.text, `${talk}\x08/ours/1\n`)
      negotiation.end()
      stream.onData(bytes(', and later'))
      assert.equal(stream.text, `${talk}\x08/ours/1\nbehind it \x80\x80\x80\x80\x80\x80, and later`)
      assert.deepEqual(refused, [])
    })
    fc.assert(property, { numRuns: 200 })
  })

  test('begins with what has arrived before', () => {
    const { rules } = begin()
    const stream = new TestStream()
    stream.onData(bytes('\x08/ours/1\nbehind'))
    const negotiation = new Negotiation(stream, rules)
    assert.equal(stream.readBufferLength, 9)
    negotiation.end()
    assert.equal(stream.readBufferLength, 15)
  })

  const hostile = [
    { id: 'a length without end', sent: '\x80'.repeat(5) },
    { id: 'a length without end behind a message', sent: `${HEADER}${'\x80'.repeat(100_000)}` },
    { id: 'a message that is too long', sent: '\x81\x08' },
    { id: 'messages without end', sent: '\x03ls\n'.repeat(33) },
  ]
  for (const { id, sent } of hostile) {
    test(`${id} is refused once, before it is read, and so is what comes after it`, () => {
      const { stream, refused, rules } = begin()
      const negotiation = new Negotiation(stream, rules)
      stream.onData(bytes(sent))
      stream.onData(bytes('more'))
      negotiation.end()
      stream.onData(bytes('more'))
      assert.equal(stream.text, '')
      assert.equal(refused.length, 1)
    })
  }

  test('what honest peers say at most is not refused: 32 messages, one of 1,024 bytes', () => {
    const { stream, refused, rules } = begin()
    new Negotiation(stream, rules)
    const sent = `\x80\x08${'x'.repeat(1_024)}${'\x03na\n'.repeat(31)}`
    stream.onData(bytes(sent))
    assert.deepEqual([stream.text, refused], [sent, []])
  })

  test('no more than 4 MiB wait behind it', () => {
    const { stream, refused, rules } = begin()
    new Negotiation(stream, rules)
    stream.onData(bytes('\x08/ours/1\n'))
    for (let n = 0; n < 4; n++) stream.onData(Buffer.alloc(1_048_576))
    assert.deepEqual(refused, [])
    stream.onData(Buffer.alloc(1))
    assert.equal(refused.length, 1)
  })
})

describe('a stream', () => {
  test('is watched until its protocol is set, and not after that', () => {
    const { stream, refused, rules } = begin()
    watchStream(stream as unknown as Stream, rules)
    assert.equal(stream.protocol, '')
    stream.onData(bytes('\x08/ours/1\nfirst'))
    stream.protocol = '/ours/1'
    assert.equal(stream.protocol, '/ours/1')
    stream.onData(bytes('\x80'.repeat(1_000)))
    assert.equal(stream.text, `\x08/ours/1\nfirst${'\x80'.repeat(1_000)}`)
    stream.protocol = '/another'
    assert.equal(stream.protocol, '/another')
    assert.deepEqual(refused, [])
  })

  test('of a protocol in frames has its lengths watched on, also what came early', () => {
    for (const isEarly of [true, false]) {
      const { stream, refused, rules } = begin()
      watchStream(stream as unknown as Stream, rules)
      stream.onData(bytes('\x08/ours/1\n\x02ab'))
      if (isEarly) stream.onData(bytes('\x80'.repeat(5)))
      stream.protocol = '/framed'
      if (!isEarly) {
        stream.onData(bytes('\x81\x01'))
        stream.onData(Buffer.alloc(129, 0x80))
        assert.deepEqual(refused, [])
        stream.onData(bytes('\x80'.repeat(5)))
      }
      assert.deepEqual(refused, ['a length without end'])
    }
  })

  test('that has a protocol already is an assertion, as are strangers', () => {
    const { stream, rules } = begin()
    stream.protocol = '/ours/1'
    assert.throws(() => watchStream(stream as unknown as Stream, rules), assert.AssertionError)
    assert.throws(() => new Negotiation({}, rules), assert.AssertionError)
    assert.throws(() => boundBytes({ onData: () => {} }, 1, () => {}), assert.AssertionError)
  })
})

test('bytes are bounded until the bound is lifted', () => {
  const { stream, refused, rules } = begin()
  const lift = boundBytes(stream, 10, rules.refuse)
  stream.onData(bytes('0123456789'))
  assert.deepEqual(refused, [])
  stream.onData(bytes('x'))
  assert.deepEqual(refused, ['more than 10 bytes'])
  lift()
  stream.onData(bytes('y'))
  assert.equal(stream.text, '0123456789y')
})

interface Muxing {
  readonly muxer: { createStream(options: object): Promise<Stream> }
}

/** A peer that knows how to open a stream and to say what it wants on it. */
async function startHostile(t: TestContext, host: TestHost) {
  const peer = await startBarePeer(t)
  const connection = await dialBare(peer, host.address)
  await until('it is connected', () => host.told.connected.length === 1)
  const { muxer } = connection as unknown as Muxing
  return { peer, stream: await muxer.createStream({}) }
}

/** A peer without multiplexers, and what it has encrypted. */
async function startUnmultiplexed(t: TestContext) {
  const secured: MessageStream[] = []
  const peer = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [
      components => {
        const encrypter = noise()(components)
        const secure = encrypter.secureOutbound.bind(encrypter)
        encrypter.secureOutbound = async (connection, options) => {
          const made = await secure(connection, { ...options, skipStreamMuxerNegotiation: true })
          secured.push(made.connection)
          return made
        }
        return encrypter
      },
    ],
    connectionMonitor: { enabled: false },
  })
  t.after(() => peer.stop())
  return { peer, secured }
}

describe('a peer that', () => {
  const endless = Buffer.alloc(262_000, 0x80)
  const inbound = [
    { id: 'proposes nothing but a length without end', said: endless },
    { id: 'does so behind the header', said: Buffer.concat([bytes(HEADER), endless]) },
  ]
  for (const { id, said } of inbound) {
    test(`${id} loses the connection, and is reported`, async t => {
      const host = await startHost(t)
      const { peer, stream } = await startHostile(t, host)
      stream.send(said)
      await until('it is cut', () => host.told.disconnected.length === 1)
      const [told] = host.told.offences
      assert.deepEqual([told?.peer, told?.offence], [peer.peerId.toString(), 'malformed'])
      assert.match(told?.detail ?? '', /a length without end/)
    })
  }

  test('agrees on no multiplexer, and says what has no end instead, loses the connection, and is reported', async t => {
    const host = await startHost(t)
    const { peer, secured } = await startUnmultiplexed(t)
    await peer.dial(multiaddr(host.address))
    const [connection] = secured
    assert.ok(connection !== undefined)
    // Before that it would be too many bytes of nobody.
    await until('its peer id is proved', () => host.doorman.arrivals.length === 1)
    connection.send(Buffer.concat([bytes(HEADER), endless.subarray(0, 60_000)]))
    await until('it is reported', () => host.told.offences.length > 0)
    await until('it is cut', () => connection.status !== 'open')
    assert.equal(host.told.offences[0]?.peer, peer.peerId.toString())
    assert.deepEqual(host.told.connected, [])
  })

  test('answers identify with a length without end loses the connection, and is reported', async t => {
    const peer = await startBarePeer(t)
    await peer.unhandle('/ipfs/id/1.0.0')
    await peer.handle('/ipfs/id/1.0.0', stream => void stream.send(endless))
    const host = await startHost(t)
    await host.host.dial(String(peer.getMultiaddrs()[0]))
    await until('it is cut', () => host.told.disconnected.length === 1)
    assert.deepEqual(
      host.told.offences.map(({ offence }) => offence),
      ['malformed'],
    )
  })

  test('sends its request right behind its proposal is answered', async t => {
    const host = await startHost(t)
    const { stream } = await startHostile(t, host)
    const answer: Uint8Array[] = []
    stream.addEventListener('message', ({ data }) => answer.push(data.subarray()))
    stream.send(bytes(`${HEADER}\x11/ipfs/ping/1.0.0\n${'p'.repeat(32)}`))
    await until('the ping is back', () => Buffer.concat(answer).toString().endsWith('p'.repeat(32)))
    assert.deepEqual(host.told.offences, [])
  })

  test('proposes a protocol that we do not speak may propose another one', async t => {
    const host = await startHost(t)
    const { stream } = await startHostile(t, host)
    const answer: Uint8Array[] = []
    stream.addEventListener('message', ({ data }) => answer.push(data.subarray()))
    stream.send(bytes(`${HEADER}\x08/none/1\n`))
    await until('it is told so', () => Buffer.concat(answer).toString().endsWith('na\n'))
    stream.send(bytes(IDENTIFY))
    await until('its next proposal is taken', () =>
      Buffer.concat(answer).toString().includes('/ipfs/id/1.0.0\n'),
    )
  })
})
