import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { afterEach, describe, mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { MessageStream, MultiaddrConnection, Stream, Upgrader } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import fc from 'fast-check'
import { createLibp2p, type Libp2p } from 'libp2p'
import { Uint8ArrayList } from 'uint8arraylist'
import { noiseCrypto, streamNoise } from '../../src/io/noise.ts'
import { FOREVER, next, Reader, silentLogger, type TcpPair, tcpPair } from './tcp-pair.ts'

const KEY_BYTES = 32
const TAG_BYTES = 16

/** Sizes at and around both thresholds, the largest record (65,535 with the tag), and beyond it. */
const SIZES = [0, 1, 63, 367, 368, 369, 383, 384, 511, 512, 513, 1_199, 1_200, 8_191, 8_192, 65_519, 70_000]

const stock = { name: 'stock', crypto: defaultCrypto }
const ours = { name: 'ours', crypto: noiseCrypto }

/** Every pair with ours in it, from and to. */
const DIRECTIONS = [
  { id: 'stock to ours', from: stock, to: ours },
  { id: 'ours to stock', from: ours, to: stock },
  { id: 'ours to ours', from: ours, to: ours },
]

/** What a record needs beside its content. */
interface Envelope {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly ad: Uint8Array
}

function envelope(adBytes: number): Envelope {
  return {
    key: new Uint8Array(randomBytes(KEY_BYTES)),
    nonce: new Uint8Array(randomBytes(12)),
    ad: new Uint8Array(randomBytes(adBytes)),
  }
}

/**
 * The same bytes as a list, cut at the given places; the parts are copies, as they would come from a
 * socket.
 */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8ArrayList {
  const ends = [...places.filter(place => place < bytes.byteLength), bytes.byteLength].sort((a, b) => a - b)
  return new Uint8ArrayList(...ends.map((end, i) => Uint8Array.from(bytes.subarray(ends[i - 1] ?? 0, end))))
}

describe('noise crypto', { timeout: 60_000 }, () => {
  for (const { id, from, to } of DIRECTIONS) {
    for (const adBytes of [0, 32]) {
      test(`${id}, ${adBytes} bytes of associated data: records of all sizes in one piece`, () => {
        for (const size of SIZES) {
          const { key, nonce, ad } = envelope(adBytes)
          const plain = new Uint8Array(randomBytes(size))
          const record = from.crypto.chaCha20Poly1305Encrypt(plain, nonce, ad, key)
          assert.equal(record.byteLength, size + TAG_BYTES)
          const received = Uint8Array.from(record.subarray())
          const opened = to.crypto.chaCha20Poly1305Decrypt(received, nonce, ad, key)
          assert.deepEqual(Buffer.from(opened.subarray()), Buffer.from(plain), `${size} bytes`)
        }
      })
    }

    test(`${id}: records of any size in any pieces`, () => {
      const places = fc.array(fc.nat(70_016), { maxLength: 40 })
      const property = fc.property(fc.nat(70_000), places, places, (size, plainPlaces, recordPlaces) => {
        const { key, nonce, ad } = envelope(32)
        const plain = new Uint8Array(randomBytes(size))
        const record = from.crypto.chaCha20Poly1305Encrypt(cut(plain, plainPlaces), nonce, ad, key)
        const received = cut(record.subarray(), recordPlaces)
        const opened = to.crypto.chaCha20Poly1305Decrypt(received, nonce, ad, key)
        assert(Buffer.from(opened.subarray()).equals(plain))
      })
      fc.assert(property, { numRuns: 100 })
    })
  }

  test('a key serves many records and is told apart from another key', () => {
    const first = envelope(0)
    const second = envelope(0)
    const plain = new Uint8Array(randomBytes(5_000))
    for (let n = 0; n < 100; n++) {
      for (const { key, ad } of [first, second]) {
        const nonce = new Uint8Array(12).fill(n)
        const record = noiseCrypto.chaCha20Poly1305Encrypt(plain, nonce, ad, key)
        const expected = defaultCrypto.chaCha20Poly1305Encrypt(plain, nonce, ad, key)
        assert(Buffer.from(record.subarray()).equals(expected.subarray()))
      }
    }
  })

  /** Each takes a record and what it was made with, and changes one thing. */
  const forgeries: readonly { id: string; forge(record: Uint8Array, made: Envelope): void }[] = [
    { id: 'the first byte', forge: record => flip(record, 0) },
    { id: 'the last byte before the tag', forge: record => flip(record, record.byteLength - TAG_BYTES - 1) },
    { id: 'the tag', forge: record => flip(record, record.byteLength - 1) },
    { id: 'the nonce', forge: (_, { nonce }) => flip(nonce, 4) },
    { id: 'the associated data', forge: (_, { ad }) => flip(ad, 0) },
  ]
  for (const { id, forge } of forgeries) {
    for (const size of [100, 400, 5_000, 65_519]) {
      for (const pieces of [1, 3]) {
        test(`a record of ${size} bytes in ${pieces} pieces is refused when one bit changes in ${id}`, () => {
          const made = envelope(32)
          const plain = new Uint8Array(randomBytes(size))
          const record = Uint8Array.from(
            noiseCrypto.chaCha20Poly1305Encrypt(plain, made.nonce, made.ad, made.key).subarray(),
          )
          forge(record, made)
          const received = pieces === 1 ? record : cut(record, [size >> 2, size >> 1])
          assert.throws(() => noiseCrypto.chaCha20Poly1305Decrypt(received, made.nonce, made.ad, made.key))
        })
      }
    }
  }
})

function flip(bytes: Uint8Array, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 1
}

/** The content of a full record. */
const RECORD_BYTES = 65_519

interface Secured {
  readonly near: MessageStream
  readonly far: MessageStream
  readonly nearRaw: MultiaddrConnection
  readonly farRaw: MultiaddrConnection
}

const open: TcpPair[] = []

async function secure(nearNoise: typeof noise, farNoise: typeof noise): Promise<Secured> {
  const pair = await tcpPair(tcp(), tcp())
  open.push(pair)
  const encrypter = async (make: typeof noise) => {
    const privateKey = await generateKeyPair('Ed25519')
    const upgrader = { getStreamMuxers: () => new Map() } as unknown as Upgrader
    const peerId = peerIdFromPrivateKey(privateKey)
    return make()({ privateKey, peerId, logger: silentLogger, upgrader })
  }
  const [near, far] = await Promise.all([
    (await encrypter(nearNoise)).secureOutbound(pair.near),
    (await encrypter(farNoise)).secureInbound(pair.far),
  ])
  return { near: near.connection, far: far.connection, nearRaw: pair.near, farRaw: pair.far }
}

describe('noise records', { timeout: 60_000 }, () => {
  afterEach(async () => {
    for (const pair of open.splice(0)) await pair.close()
  })

  test('what is sent in one tick shares a record, in order', async () => {
    const { near, far, nearRaw } = await secure(streamNoise, noise)
    const reader = new Reader(far)
    const sends = mock.method(nearRaw, 'send').mock
    const pieces = Array.from({ length: 50 }, () => randomBytes(100))
    for (const piece of pieces) assert.equal(near.send(piece), true)
    assert.equal(sends.callCount(), 0)
    assert((await reader.read(5_000)).equals(Buffer.concat(pieces)))
    assert.equal(sends.callCount(), 1)
    assert.equal(sends.calls[0]?.arguments[0].byteLength, 2 + 5_000 + TAG_BYTES)
  })

  test('no more waits than fits in a record', async () => {
    const { near, far, nearRaw } = await secure(streamNoise, noise)
    const reader = new Reader(far)
    const sends = mock.method(nearRaw, 'send').mock
    const pieces = Array.from({ length: 100 }, () => randomBytes(1_000))
    for (const piece of pieces) near.send(piece)
    assert.equal(sends.callCount(), 1)
    assert.equal(sends.calls[0]?.arguments[0].byteLength, 2 + 65_000 + TAG_BYTES)
    assert((await reader.read(100_000)).equals(Buffer.concat(pieces)))
    assert.equal(sends.callCount(), 2)
  })

  test('a large frame goes at once, after what waits', async () => {
    const { near, far, nearRaw } = await secure(streamNoise, noise)
    const reader = new Reader(far)
    const sends = mock.method(nearRaw, 'send').mock
    const pieces = [randomBytes(10), randomBytes(RECORD_BYTES), randomBytes(10)]
    for (const piece of pieces) near.send(piece)
    assert.equal(sends.callCount(), 2)
    assert((await reader.read(RECORD_BYTES + 20)).equals(Buffer.concat(pieces)))
  })

  test('closing either connection first sends what waits', async () => {
    for (const which of ['near', 'nearRaw'] as const) {
      const secured = await secure(streamNoise, noise)
      const reader = new Reader(secured.far)
      secured.near.send(Buffer.from('the last '))
      secured.near.send(Buffer.from('words'))
      await secured[which].close({ signal: FOREVER })
      assert.equal(String(await reader.read(14)), 'the last words')
      assert.throws(() => secured.near.send(Buffer.from('too late')), { name: 'StreamStateError' })
    }
  })

  test('aborting throws away what waits, and nothing fails later', async () => {
    for (const which of ['near', 'nearRaw'] as const) {
      const secured = await secure(streamNoise, noise)
      const reader = new Reader(secured.far)
      const closed = next(secured.farRaw, 'close')
      secured.near.send(Buffer.from('never seen'))
      secured[which].abort(new Error('on purpose'))
      await closed
      assert.equal(reader.sizeBytes, 0)
    }
  })

  test('a slow reader holds the writer back: bounded memory, everything arrives in order', async () => {
    const { near, far, nearRaw } = await secure(streamNoise, streamNoise)
    const reader = new Reader(far)
    far.addEventListener('message', () => {
      far.pause()
      setImmediate(() => far.resume())
    })
    const pieceBytes = 10_000
    const sent = randomBytes(pieceBytes * 500)
    let stops = 0
    for (let at = 0; at < sent.byteLength; at += pieceBytes) {
      const canSendMore = near.send(sent.subarray(at, at + pieceBytes))
      // One record may follow the one that filled the socket.
      assert(near.writeBufferLength + nearRaw.writeBufferLength <= 2 * (RECORD_BYTES + 2 + TAG_BYTES))
      if (canSendMore) continue
      stops += 1
      await next(near, 'drain')
    }
    assert(stops > 0)
    assert((await reader.read(sent.byteLength)).equals(sent))
    await turn()
  })

  for (const { id, nearNoise, farNoise } of [
    { id: 'ours and stock', nearNoise: streamNoise, farNoise: noise },
    { id: 'stock and ours', nearNoise: noise, farNoise: streamNoise },
    { id: 'ours and ours', nearNoise: streamNoise, farNoise: streamNoise },
  ]) {
    test(`${id}: any order of sends and ticks on both sides arrives unchanged`, async () => {
      const step = fc.record({ fromNear: fc.boolean(), sizeBytes: fc.nat(70_000), isTickOver: fc.boolean() })
      const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
        const { near, far } = await secure(nearNoise, farNoise)
        const nearReader = new Reader(near)
        const farReader = new Reader(far)
        const fromNear: Buffer[] = []
        const fromFar: Buffer[] = []
        for (const { fromNear: isNear, sizeBytes, isTickOver } of steps) {
          const piece = randomBytes(sizeBytes)
          ;(isNear ? near : far).send(piece)
          ;(isNear ? fromNear : fromFar).push(piece)
          if (isTickOver) await turn()
        }
        const toFar = Buffer.concat(fromNear)
        const toNear = Buffer.concat(fromFar)
        assert((await farReader.read(toFar.byteLength)).equals(toFar))
        assert((await nearReader.read(toNear.byteLength)).equals(toNear))
      })
      await fc.assert(property, { numRuns: 15 })
    })
  }
})

const PROTOCOL = '/test/digest/1'
const DIGEST_BYTES = 32

/** A node that answers each stream with the SHA-256 of what came. */
async function digestNode(encrypter: ReturnType<typeof noise>): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [encrypter],
    streamMuxers: [yamux()],
  })
  await node.handle(PROTOCOL, async stream => {
    const hash = createHash('sha256')
    for await (const part of stream) hash.update(part.subarray())
    stream.send(hash.digest())
    await stream.close()
  })
  return node
}

async function digestBy(stream: Stream, bytes: Uint8Array): Promise<Uint8Array> {
  const answer = new Uint8ArrayList()
  stream.addEventListener('message', event => answer.append(event.data))
  const answered = new Promise(resolve =>
    stream.addEventListener('remoteCloseWrite', resolve, { once: true }),
  )
  stream.send(bytes)
  await stream.close()
  await answered
  assert.equal(answer.byteLength, DIGEST_BYTES)
  return answer.subarray()
}

describe('noise between nodes', { timeout: 60_000 }, () => {
  const pairs = [
    { id: 'ours dials stock', dialler: streamNoise, listener: noise },
    { id: 'stock dials ours', dialler: noise, listener: streamNoise },
    { id: 'ours dials ours', dialler: streamNoise, listener: streamNoise },
  ]
  test('what was sent just before the connection closes arrives', async () => {
    const near = await digestNode(streamNoise())
    const far = await digestNode(streamNoise())
    try {
      const bytes = randomBytes(1_000)
      const arrived = Promise.withResolvers<Buffer>()
      await far.handle('/test/take/1', async stream => {
        const parts: Uint8Array[] = []
        for await (const part of stream) parts.push(part.subarray())
        arrived.resolve(Buffer.concat(parts))
      })
      const connection = await near.dial(far.getMultiaddrs())
      const stream = await connection.newStream('/test/take/1')
      stream.send(bytes)
      await stream.close()
      await connection.close()
      assert.deepEqual(await arrived.promise, bytes)
    } finally {
      await Promise.all([near.stop(), far.stop()])
    }
  })

  for (const { id, dialler, listener } of pairs) {
    test(`${id}: handshake, small and large messages`, async () => {
      const near = await digestNode(dialler())
      const far = await digestNode(listener())
      try {
        const connection = await near.dial(far.getMultiaddrs())
        for (const size of [1, 300, 600, 70_000, 1_000_000]) {
          const bytes = new Uint8Array(randomBytes(size))
          const digest = await digestBy(await connection.newStream(PROTOCOL), bytes)
          assert.deepEqual(Buffer.from(digest), createHash('sha256').update(bytes).digest(), `${size} bytes`)
        }
      } finally {
        await Promise.all([near.stop(), far.stop()])
      }
    })
  }
})
