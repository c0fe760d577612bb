/**
 * The wire codec on random values and on bytes that no encoder has written. `SEED` repeats a run.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Random } from '../../src/core/random.ts'
import {
  bool,
  bytes,
  message,
  nested,
  optional,
  repeated,
  type Single,
  text,
  uint,
  type Value,
} from '../../src/core/wire.ts'

const MAX = Number.MAX_SAFE_INTEGER

const INNER = message({ ip: bytes(1, { minBytes: 4, maxBytes: 16 }), port: uint(2, { max: 65_535 }) }, 64)

const CODEC = message(
  {
    name: text(1, { maxBytes: 32 }),
    count: uint(2, { max: MAX }),
    isGood: bool(3),
    weights: repeated(uint(4, { max: MAX }), { max: 20 }),
    flags: repeated(bool(5), { max: 5 }),
    names: repeated(text(6, { maxBytes: 8 }), { max: 10 }),
    inner: optional(nested(7, INNER)),
    all: repeated(nested(9, INNER), { max: 10 }),
    maybe: optional(uint(20, { max: 1_000 })),
  },
  65_536,
)

type Sample = Value<typeof CODEC>

const shortText = (maxBytes: number): fc.Arbitrary<string> =>
  fc.string({ unit: 'grapheme', maxLength: maxBytes }).filter(text => Buffer.byteLength(text) <= maxBytes)
/** Objects as others make them, with the usual prototype. */
const ORDINARY = { noNullPrototype: true }
const inner = fc.record(
  {
    ip: fc.uint8Array({ minLength: 4, maxLength: 16 }),
    port: fc.nat({ max: 65_535 }),
  },
  ORDINARY,
)
const whole = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 127, 128, 2 ** 32 - 1, 2 ** 32, MAX))

const sample: fc.Arbitrary<Sample> = fc.record(
  {
    name: shortText(32),
    count: whole,
    isGood: fc.boolean(),
    weights: fc.array(whole, { maxLength: 20 }),
    flags: fc.array(fc.boolean(), { maxLength: 5 }),
    names: fc.array(shortText(8), { maxLength: 10 }),
    inner: fc.option(inner, { nil: undefined }),
    all: fc.array(inner, { maxLength: 10 }),
    maybe: fc.option(fc.nat({ max: 1_000 }), { nil: undefined }),
  },
  ORDINARY,
)

/** Fields that the codec does not know, whole. */
const unknown = fc.constantFrom(
  '5001',
  '50ffffffffffffffffff01',
  '5200',
  '5203ffffff',
  '5500000000',
  'f8ffffff0f00',
)

const { SEED } = process.env
const seed = SEED === undefined ? {} : { seed: Number(SEED) }

describe('random values', () => {
  it('come back as they were, within the size that was promised', () => {
    const property = fc.property(sample, value => {
      const frame = CODEC.encode(value)
      assert.ok(frame.byteLength <= CODEC.maxBytes)
      assert.deepEqual(CODEC.decode(frame), { value })
      const again = CODEC.decode(frame).value
      assert.deepEqual(again && CODEC.encode(again), frame)
    })
    fc.assert(property, { numRuns: 2_000, ...seed })
  })

  it('come back also from between unknown fields', () => {
    const property = fc.property(sample, fc.array(unknown, { maxLength: 8 }), (value, strangers) => {
      const around = Buffer.from(strangers.join(''), 'hex')
      const frame = Buffer.concat([around, CODEC.encode(value), around])
      assert.deepEqual(plain(CODEC.decode(frame).value), plain(value))
    })
    fc.assert(property, { numRuns: 500, ...seed })
  })
})

describe('random bytes', () => {
  it('are a value within the limits or a problem, 100,000 times', () => {
    const name = SEED ?? String(Date.now())
    const random = new Random(name)
    const honest = fc
      .sample(sample, { numRuns: 200, seed: random.uint32() })
      .map(value => CODEC.encode(value))
    const counts = { values: 0, problems: 0 }
    for (let run = 0; run < 100_000; run++) {
      const frame = run % 4 === 0 ? junk(random) : spoilt(honest[random.below(honest.length)], random)
      try {
        const { value, problem } = CODEC.decode(frame)
        counts[problem === undefined ? 'values' : 'problems']++
        assert.ok((value === undefined) !== (problem === undefined))
        // Encoding asserts every limit.
        if (value !== undefined) assert.deepEqual(CODEC.decode(CODEC.encode(value)), { value })
      } catch (error) {
        assert.fail(`SEED=${name}, ${Buffer.from(frame).toString('hex')}: ${error}`)
      }
    }
    // Neither side is checked in name only.
    assert.ok(counts.values > 5_000 && counts.problems > 20_000, JSON.stringify(counts))
  })
})

describe('a hostile frame of 64 KiB', () => {
  /** Counts how often an item is made. */
  const counted = <T>(field: Single<T>, made: { count: number }): Single<T> => {
    const { kind } = field
    const read: typeof kind.read = reader => {
      made.count++
      return kind.read(reader)
    }
    return { ...field, kind: { ...kind, read } }
  }

  const cases: { id: string; frame: Uint8Array; made: number; problem: string }[] = [
    { id: 'of empty texts', frame: filled('0a00'), made: 8, problem: 'texts: more than 8' },
    { id: 'of numbers', frame: filled('1001'), made: 8, problem: 'numbers: more than 8' },
    {
      id: 'of one packed list',
      frame: Uint8Array.from([0x12, 0xfc, 0xff, 0x03, ...filled('01').subarray(4)]),
      made: 8,
      problem: 'numbers: more than 8',
    },
    { id: 'of empty messages', frame: filled('1a00'), made: 8, problem: 'messages: more than 8' },
    { id: 'of unknown fields', frame: filled('5000'), made: 0, problem: 'more than 1000 unknown fields' },
    { id: 'of zeros', frame: filled('00'), made: 0, problem: 'a field has no valid number' },
    {
      id: 'of a number without an end',
      frame: filled('ff'),
      made: 0,
      problem: 'a number has more than 10 bytes',
    },
  ]
  for (const { id, frame, made, problem } of cases) {
    it(`${id} is left after ${made} items`, () => {
      const count = { count: 0 }
      const codec = message(
        {
          texts: repeated(counted(text(1, { maxBytes: 8 }), count), { max: 8 }),
          numbers: repeated(counted(uint(2, { max: 1 }), count), { max: 8 }),
          messages: repeated(counted(nested(3, message({ a: bool(1) })), count), { max: 8 }),
        },
        65_536,
      )
      assert.equal(frame.byteLength, 65_536)
      assert.equal(codec.decode(frame).problem, problem)
      assert.equal(count.count, made)
    })
  }
})

/** 64 KiB of a pattern. */
function filled(pattern: string): Uint8Array {
  return Uint8Array.from(Buffer.alloc(65_536, Buffer.from(pattern, 'hex')))
}

function junk(random: Random): Uint8Array {
  const bytes = new Uint8Array(random.below(64))
  random.fill(bytes)
  return bytes
}

/** Turns over one to four bits, or cuts, or doubles a part. */
function spoilt(honest: Uint8Array | undefined, random: Random): Uint8Array {
  const bytes = Uint8Array.from(honest ?? [])
  const at = random.below(bytes.byteLength + 1)
  const way = random.below(6)
  if (way === 0) return bytes.subarray(0, at)
  if (way === 1) return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at >> 1)])
  for (let flips = random.below(4); flips >= 0 && bytes.byteLength > 0; flips--) {
    const index = random.below(bytes.byteLength)
    bytes[index] = (bytes[index] ?? 0) ^ (1 << random.below(8))
  }
  return bytes
}

/** Bytes that come out of a `Buffer` are views of another class. */
function plain(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part,
  )
}
