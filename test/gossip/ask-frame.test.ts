/**
 * Ask frames: a vector made by hand, the limits, random ones there and back, and bytes that no encoder has written.
 * `SEED` repeats a run.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { messageId, messageKey } from '../../src/core/hash.ts'
import { Random } from '../../src/core/random.ts'
import { ANNOUNCEMENT_MAX_BYTES, encodeItems } from '../../src/gossip/announcement.ts'
import {
  ASK_FRAME_FILL_BYTES,
  ASK_FRAME_MAX_BYTES,
  ASK_ITEMS_MAX,
  ASK_PAYLOAD_MAX_BYTES,
  type AskFrame,
  encodeAskFrame,
  idOf,
  readAskFrame,
} from '../../src/gossip/ask-frame.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const keys = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => messageKey(messageId('tx', Uint8Array.of(index, index >> 8))))
const { SEED } = process.env
const seed = SEED === undefined ? {} : { seed: Number(SEED) }

const A = '11'.repeat(20)
const B = 'ff'.repeat(20)

const EMPTY: Omit<AskFrame, 'topic'> = { ask: [], lack: [], payloads: [], offer: new Uint8Array(0) }

describe('an ask frame', () => {
  const frame = `0a027478 1228${A}${B} 1a14${B} 2203010203 2200 2a0109`
  const value: AskFrame = {
    topic: 'tx',
    ask: [messageKey(unhex(A)), messageKey(unhex(B))],
    lack: [messageKey(unhex(B))],
    payloads: [Uint8Array.of(1, 2, 3), new Uint8Array(0)],
    offer: Uint8Array.of(9),
  }

  it('is written as it is defined, and read', () => {
    const { topic, ...parts } = value
    assert.equal(hex(encodeAskFrame(topic, parts)), frame.replaceAll(' ', ''))
    assert.deepEqual(readAskFrame(unhex(frame)), { value })
  })

  it('may have nothing but its topic', () => {
    assert.equal(hex(encodeAskFrame('tx', {})), '0a027478')
    assert.deepEqual(readAskFrame(unhex('0a027478')), { value: { ...EMPTY, topic: 'tx' } })
  })

  it('is read from anywhere in a buffer, and with fields of a later version', () => {
    const buffer = Buffer.concat([Buffer.alloc(13), unhex(`${frame} 3203000000`), Buffer.alloc(7)])
    assert.deepEqual(readAskFrame(buffer.subarray(13, -7)), { value })
  })

  it('says of a key the id that it was made from', () => {
    for (const key of keys(10)) {
      assert.equal(messageKey(idOf(key)), key)
      assert.equal(idOf(key).byteLength, 20)
    }
  })

  const refused: { id: string; frame: Uint8Array; problem: RegExp; isExcess?: boolean }[] = [
    { id: 'nothing', frame: new Uint8Array(0), problem: /^topic: / },
    { id: 'no topic', frame: unhex(`1214${A}`), problem: /^topic: / },
    { id: 'a topic of 257 bytes', frame: unhex(`0a8102${'61'.repeat(257)}`), problem: /^topic: 257 bytes/ },
    { id: 'a topic that is no text', frame: unhex('0a01ff'), problem: /^topic: is not UTF-8$/ },
    {
      id: 'an id of 19 bytes',
      frame: unhex(`0a0174 1213${A.slice(2)}`),
      problem: /^ids: not a whole number/,
    },
    { id: 'a lack of 21 bytes', frame: unhex(`0a0174 1a15${A}00`), problem: /^ids: not a whole number/ },
    {
      id: '257 ids',
      frame: Buffer.concat([unhex('0a0174 129428'), Buffer.alloc(5_140)]),
      problem: /^ask: 5140 bytes/,
    },
    {
      id: '257 lacking',
      frame: Buffer.concat([unhex('0a0174 1a9428'), Buffer.alloc(5_140)]),
      problem: /^lack: 5140 bytes/,
    },
    {
      id: '257 payloads',
      frame: unhex(`0a0174 ${'2200'.repeat(257)}`),
      problem: /^payloads: /,
      isExcess: true,
    },
    {
      id: 'an offer that is longer than an announcement',
      frame: Buffer.concat([unhex('0a0174 2a8140'), Buffer.alloc(ANNOUNCEMENT_MAX_BYTES + 1)]),
      problem: /^offer: 8193 bytes/,
    },
    {
      id: 'a payload above 4 MiB',
      frame: Buffer.concat([unhex('0a0174 2281808002'), Buffer.alloc(ASK_PAYLOAD_MAX_BYTES + 1)]),
      problem: /^payloads: 4194305 bytes/,
    },
    {
      id: 'a frame that is too long',
      frame: new Uint8Array(ASK_FRAME_MAX_BYTES + 1),
      problem: /^4259841 bytes$/,
    },
    { id: 'a number in place of ids', frame: unhex('0a0174 1001'), problem: /^ask: / },
    { id: 'half a frame', frame: unhex(frame).subarray(0, -1), problem: /^offer: / },
  ]
  for (const { id, frame, problem, isExcess = false } of refused) {
    it(`is refused: ${id}`, () => {
      const decoded = readAskFrame(frame)
      assert.match(decoded.problem ?? '', problem)
      assert.equal(decoded.problem !== undefined && decoded.isExcess, isExcess)
    })
  }

  it('holds as much as it may', () => {
    const full = {
      ask: keys(ASK_ITEMS_MAX),
      lack: keys(ASK_ITEMS_MAX),
      payloads: [new Uint8Array(ASK_PAYLOAD_MAX_BYTES).fill(7)],
      offer: encodeItems(keys(ASK_ITEMS_MAX).map(key => ({ id: idOf(key), sizeBytes: 2 ** 26 }))),
    }
    const topic = 't'.repeat(256)
    const frame = encodeAskFrame(topic, full)
    assert.ok(frame.byteLength <= ASK_FRAME_MAX_BYTES)
    assert.deepEqual(readAskFrame(frame), { value: { topic, ...full } })
  })

  it('is not made beyond its limits', () => {
    const bad: Partial<AskFrame>[] = [
      { ask: keys(ASK_ITEMS_MAX + 1) },
      { lack: keys(ASK_ITEMS_MAX + 1) },
      { payloads: Array(ASK_ITEMS_MAX + 1).fill(new Uint8Array(0)) },
      { payloads: [new Uint8Array(ASK_PAYLOAD_MAX_BYTES + 1)] },
      { payloads: Array(2).fill(new Uint8Array(ASK_PAYLOAD_MAX_BYTES)) },
      { offer: new Uint8Array(ANNOUNCEMENT_MAX_BYTES + 1) },
    ]
    for (const parts of bad) assert.throws(() => encodeAskFrame('tx', parts), assert.AssertionError)
    assert.throws(() => encodeAskFrame('', {}), assert.AssertionError)
  })
})

describe('payloads that were read', () => {
  const read = (sizes: number[]): readonly Uint8Array[] => {
    const payloads = sizes.map(sizeBytes => new Uint8Array(sizeBytes).fill(7))
    const read = readAskFrame(encodeAskFrame('tx', { payloads })).value?.payloads ?? []
    assert.deepEqual(read, payloads)
    return read
  }

  it('are views of a small frame', () => {
    const [first, second] = read([10, 20])
    assert.equal(first?.buffer, second?.buffer)
  })

  it('keep no large frame in memory when they are small', () => {
    const [small, large] = read([1, ASK_FRAME_FILL_BYTES])
    assert.equal(small?.buffer.byteLength, 1)
    assert.ok((large?.buffer.byteLength ?? 0) < 2 * ASK_FRAME_FILL_BYTES)
  })

  it('nor one that is padded', () => {
    const padding = Buffer.concat([unhex('3280808001'), Buffer.alloc(2 ** 21)])
    const [payload] = readAskFrame(Buffer.concat([unhex('0a0174 220107'), padding])).value?.payloads ?? []
    assert.equal(payload?.buffer.byteLength, 1)
  })
})

const key = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(messageKey)
const sample = fc.record(
  {
    topic: fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
      .filter(text => Buffer.byteLength(text) <= 256),
    ask: fc.array(key, { maxLength: 5 }),
    lack: fc.array(key, { maxLength: 5 }),
    payloads: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }),
    offer: fc.uint8Array({ maxLength: 50 }),
  },
  { noNullPrototype: true },
)

describe('random frames', () => {
  it('come back as they were', () => {
    const property = fc.property(sample, ({ topic, ...parts }) => {
      assert.deepEqual(readAskFrame(encodeAskFrame(topic, parts)), { value: { topic, ...parts } })
    })
    fc.assert(property, { numRuns: 300, ...seed })
  })

  it('of any bytes are read or refused, within the limits', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), judge)
    fc.assert(property, { numRuns: 2_000, ...seed })
  })

  it('with flipped bits, cut or lengthened, too', () => {
    const random = new Random(SEED ?? 'ask-frame')
    const [one, two] = fc.sample(sample, { numRuns: 2, seed: 1 })
    for (const { topic, ...parts } of [one, two].filter(frame => frame !== undefined)) {
      const good = encodeAskFrame(topic, parts)
      for (let bit = 0; bit < good.byteLength * 8; bit++) {
        const bad = good.slice()
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        judge(bad)
      }
      for (let length = 0; length < good.byteLength; length++) judge(good.subarray(0, length))
      for (let round = 0; round < 500; round++) {
        const bad = Buffer.concat([good, Buffer.alloc(10)])
        for (let change = 0; change < 4; change++) bad[random.below(bad.byteLength)] = random.below(256)
        judge(bad)
      }
    }
  })
})

/** What is read is within the limits, and written again it is read the same. */
function judge(frame: Uint8Array): void {
  const { value, problem } = readAskFrame(frame)
  if (value === undefined) return assert.ok(problem.length > 0 && !/[^\x20-\x7e]/.test(problem), problem)
  const { topic, ...parts } = value
  assert.deepEqual(readAskFrame(encodeAskFrame(topic, parts)), { value })
}
