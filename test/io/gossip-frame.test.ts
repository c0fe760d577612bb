/**
 * The look at encoded frames: it lets honest frames pass, names what is wrong with others, and counts what the
 * decoder of the library would make of them.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RPC } from '@libp2p/gossipsub/message'
import fc from 'fast-check'
import { FRAME_FIELDS_MAX, type FrameFault, frameFault } from '../../src/io/gossip-frame.ts'
import { encode, type Frame } from './real-gossip.ts'

const ID = new Uint8Array(20)
const ids = (count: number): Uint8Array[] => Array.from({ length: count }, () => ID)

/** A field of protobuf with a length. @param number below 16 */
function field(number: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts)
  const length: number[] = []
  let rest = body.byteLength
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80)
  return Buffer.concat([Uint8Array.from([(number << 3) | 2, ...length, rest]), body])
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const control = (...parts: Uint8Array[]): Uint8Array => field(3, ...parts)

describe('a frame passes', () => {
  const frames: Record<string, Uint8Array> = {
    'that is empty': bytes(),
    'with a payload': encode({ messages: [{ topic: 'tx', data: new Uint8Array(1_000_000) }] }),
    'with signed messages': encode({
      messages: Array.from({ length: 1_024 }, () => ({
        topic: 'tx',
        data: ID,
        from: ID,
        seqno: ID,
        signature: ID,
        key: ID,
      })),
    }),
    'with 1,024 subscriptions': encode({
      subscriptions: Array.from({ length: 1_024 }, (_, i) => ({
        topic: `topic ${i}`,
        subscribe: i % 2 === 0,
      })),
    }),
    'with all kinds of control messages': encode({
      control: {
        ihave: [{ topicID: 'tx', messageIDs: ids(5_000) }],
        iwant: [{ messageIDs: ids(5_000) }],
        graft: [{ topicID: 'tx' }],
        prune: [
          { topicID: 'tx', backoff: Number.MAX_SAFE_INTEGER, peers: [{ peerID: ID, signedPeerRecord: ID }] },
        ],
        idontwant: [{ messageIDs: ids(512) }],
      },
    }),
    'that offers 5,000 ids of each of 13 topics': encode({
      control: { ihave: Array.from({ length: 13 }, () => ({ topicID: 'tx', messageIDs: ids(5_000) })) },
    }),
    'with fields of a later version, of every type': Buffer.concat([
      bytes(0x78, 0x96, 0x01),
      bytes(0x79, 1, 2, 3, 4, 5, 6, 7, 8),
      bytes(0x7d, 1, 2, 3, 4),
      field(15, ID),
      control(field(15, ID)),
    ]),
  }
  for (const [id, frame] of Object.entries(frames)) {
    test(id, () => {
      assert.equal(frameFault(frame), undefined)
      assert.doesNotThrow(() => RPC.decode(frame))
    })
  }
})

describe('a frame is found out', () => {
  const megabytes = (filler: Uint8Array): Uint8Array => Buffer.alloc(4_000_000, filler)
  const cases: { id: string; frame: Uint8Array; fault: FrameFault }[] = [
    {
      id: 'two million empty ids in a thousand lists',
      frame: control(...Array.from({ length: 1_000 }, () => field(1, Buffer.alloc(4_000, bytes(0x12, 0))))),
      fault: 'gossip-limits',
    },
    { id: 'a million control messages', frame: megabytes(bytes(0x1a, 0)), fault: 'gossip-limits' },
    {
      id: 'one message with its payload a million times',
      frame: field(2, megabytes(bytes(0x12, 0))),
      fault: 'gossip-limits',
    },
    { id: 'a million unknown fields', frame: megabytes(bytes(0x78, 0)), fault: 'gossip-limits' },
    { id: 'a length beyond its end', frame: bytes(0x12, 0x7f, 0x01), fault: 'malformed' },
    {
      id: 'a part that ends outside of the one around it',
      frame: Buffer.concat([bytes(0x1a, 2, 0x0a, 4), ID]),
      fault: 'malformed',
    },
    { id: 'a tag without a value', frame: bytes(0x12), fault: 'malformed' },
    { id: 'groups', frame: bytes(0x7b, 0x7c), fault: 'malformed' },
    { id: 'a list where the decoder would read a number', frame: field(1, field(1, ID)), fault: 'malformed' },
    {
      id: 'a number where the decoder would read a length',
      frame: bytes(0x10, 0x02, 0x22, 0x00),
      fault: 'malformed',
    },
    {
      id: 'a length with more digits than it needs',
      frame: bytes(0x12, 0x82, 0x00, 0x22, 0x00),
      fault: 'malformed',
    },
    { id: 'a length of five digits', frame: bytes(0x12, 0xff, 0xff, 0xff, 0xff, 0x01), fault: 'malformed' },
    {
      id: 'a tag of five digits, which decoders cut',
      frame: bytes(0x9a, 0x80, 0x80, 0x80, 0x10, 0x00),
      fault: 'malformed',
    },
    {
      id: 'a back-off with more digits than it needs',
      frame: control(field(4, bytes(0x18, 0x80, 0x00))),
      fault: 'malformed',
    },
    {
      id: 'an unknown number of eleven digits',
      frame: Buffer.concat([bytes(0x78), Buffer.alloc(10, 0x80), bytes(1)]),
      fault: 'malformed',
    },
  ]
  for (const { id, frame, fault } of cases) {
    test(`with ${id}`, () => assert.equal(frameFault(frame), fault))
  }

  test('with one field more than there may be, at whatever depth', () => {
    const prune = (count: number): Frame => ({
      control: { prune: [{ topicID: 'tx', peers: Array.from({ length: count }, () => ({ peerID: ID })) }] },
    })
    // Three fields are the control message, the prune and its topic; two each peer and its id.
    const count = Math.floor((FRAME_FIELDS_MAX - 3) / 2)
    assert.equal(frameFault(encode(prune(count))), undefined)
    assert.equal(frameFault(encode(prune(count + 1))), 'gossip-limits')
    assert.equal(frameFault(encode(prune(3)), 9), undefined)
    assert.equal(frameFault(encode(prune(3)), 8), 'gossip-limits')
  })
})

const text = fc.string({ maxLength: 8 })
const blob = fc.uint8Array({ maxLength: 24 })
const some = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(item, { maxLength: 5 })
const idList = fc.record({ messageIDs: some(blob) })

const frames: fc.Arbitrary<Frame> = fc.record(
  {
    subscriptions: some(fc.record({ subscribe: fc.boolean(), topic: text })),
    messages: some(fc.record({ topic: text, data: blob, from: blob, seqno: blob })),
    control: fc.record({
      ihave: some(fc.record({ topicID: text, messageIDs: some(blob) })),
      iwant: some(idList),
      graft: some(fc.record({ topicID: text })),
      prune: some(
        fc.record({
          topicID: text,
          backoff: fc.maxSafeNat(),
          peers: some(fc.record({ peerID: blob, signedPeerRecord: blob })),
        }),
      ),
      idontwant: some(idList),
    }),
  },
  { requiredKeys: [] },
)

/** All list entries in what the decoder has made of a frame. */
function entriesOf(value: unknown): number {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return 0
  const own = Array.isArray(value) ? value.length : 0
  return Object.values(value).reduce<number>((sum, part) => sum + entriesOf(part), own)
}

const { SEED } = process.env
const seeded = SEED === undefined ? {} : { seed: Number(SEED) }

test('random frames pass, and none yields more entries than fields were counted', () => {
  fc.assert(
    fc.property(frames, frame => {
      const encoded = encode(frame)
      assert.equal(frameFault(encoded), undefined)
      const entries = entriesOf(RPC.decode(encoded))
      if (entries > 0) assert.equal(frameFault(encoded, entries - 1), 'gossip-limits')
    }),
    { numRuns: 500, ...seeded },
  )
})

test('what passes of frames with a few bytes changed has no more entries than fields may be', () => {
  const change = fc.tuple(
    fc.nat(),
    fc.oneof(fc.nat(255), fc.constantFrom(0x0a, 0x12, 0x1a, 0x22, 0x80, 0xff)),
  )
  let passed = 0
  fc.assert(
    fc.property(
      frames,
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.nat(60),
      (frame, changes, max) => {
        const encoded = Uint8Array.from(encode(frame))
        if (encoded.byteLength === 0) return
        for (const [at, value] of changes) encoded[at % encoded.byteLength] = value
        if (frameFault(encoded, max) !== undefined) return
        passed++
        let decoded: RPC
        try {
          decoded = RPC.decode(encoded)
        } catch {
          return
        }
        assert.ok(entriesOf(decoded) <= max)
      },
    ),
    { numRuns: 20_000, ...seeded },
  )
  assert.ok(passed > 1_000, `only ${passed} frames passed`)
})
