import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  bool,
  bytes,
  type Message,
  message,
  nested,
  optional,
  repeated,
  text,
  uint,
} from '../../src/core/wire.ts'
import { UNKNOWN_FIELDS_MAX } from '../../src/core/wire-bytes.ts'

const MAX = Number.MAX_SAFE_INTEGER

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

const INNER = message({ a: uint(1, { max: MAX }) })

/** One field of each sort. */
const ALL = message(
  {
    name: text(1, { maxBytes: 8 }),
    count: uint(2, { max: MAX }),
    raw: bytes(3, { maxBytes: 4 }),
    isGood: bool(4),
    weights: repeated(uint(5, { max: 1_000 }), { max: 4 }),
    names: repeated(text(6, { minBytes: 1, maxBytes: 4 }), { max: 3 }),
    inner: optional(nested(7, INNER)),
    maybe: optional(uint(8, { max: 10 })),
    far: uint(2_047, { max: 1 }),
  },
  1_024,
)

const NOTHING = {
  name: '',
  count: 0,
  raw: new Uint8Array(0),
  isGood: false,
  weights: [],
  names: [],
  inner: undefined,
  maybe: undefined,
  far: 0,
}

describe('the wire codec writes and reads what the specification shows', () => {
  /** From https://protobuf.dev/programming-guides/encoding, and what follows from it. */
  const cases: { id: string; codec: Message<never>; value: object; wire: string }[] = [
    { id: 'a number', codec: INNER as Message<never>, value: { a: 150 }, wire: '08 96 01' },
    {
      id: 'a text',
      codec: message({ b: text(2, { maxBytes: 7 }) }) as Message<never>,
      value: { b: 'testing' },
      wire: '12 07 74 65 73 74 69 6e 67',
    },
    {
      id: 'a message in a message',
      codec: message({ c: nested(3, INNER) }) as Message<never>,
      value: { c: { a: 150 } },
      wire: '1a 03 08 96 01',
    },
    {
      id: 'a packed list',
      codec: message({ f: repeated(uint(6, { max: 100_000 }), { max: 3 }) }) as Message<never>,
      value: { f: [3, 270, 86_942] },
      wire: '32 06 03 8e 02 9e a7 05',
    },
    {
      id: 'a list of texts, an empty one among them',
      codec: message({ d: repeated(text(4, { maxBytes: 5 }), { max: 2 }) }) as Message<never>,
      value: { d: ['hello', ''] },
      wire: '22 05 68 65 6c 6c 6f 22 00',
    },
    {
      id: 'yes',
      codec: message({ g: bool(1) }) as Message<never>,
      value: { g: true },
      wire: '08 01',
    },
    { id: 'nothing but defaults', codec: ALL as Message<never>, value: NOTHING, wire: '' },
    {
      id: 'an optional 0, and an empty message',
      codec: ALL as Message<never>,
      value: { ...NOTHING, inner: { a: 0 }, maybe: 0 },
      wire: '3a 00 40 00',
    },
    {
      id: 'fields in the order of their numbers, a tag of two bytes',
      codec: ALL as Message<never>,
      value: { ...NOTHING, far: 1, isGood: true, raw: unhex('00ff'), name: 'ü' },
      wire: '0a 02 c3 bc 1a 02 00 ff 20 01 f8 7f 01',
    },
  ]
  for (const { id, codec, value, wire } of cases) {
    it(id, () => {
      const frame = codec.encode(value as never)
      assert.equal(hex(frame), wire.replaceAll(' ', ''))
      assert.deepEqual(codec.decode(frame), { value })
    })
  }

  const numbers: [value: number, wire: string][] = [
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [16_383, 'ff7f'],
    [16_384, '808001'],
    [2 ** 31, '8080808008'],
    [2 ** 32 - 1, 'ffffffff0f'],
    [2 ** 32, '8080808010'],
    [2 ** 49 - 1, 'ffffffffffff7f'],
    [2 ** 49, '8080808080808001'],
    [MAX, 'ffffffffffffff0f'],
  ]
  for (const [a, wire] of numbers) {
    it(`the number ${a}`, () => {
      assert.equal(hex(INNER.encode({ a })), `08${wire}`)
      assert.deepEqual(INNER.decode(unhex(`08${wire}`)), { value: { a } })
    })
  }
})

describe('the wire codec reads what other encoders may write', () => {
  const cases: { id: string; wire: string; value: Partial<typeof NOTHING> | object }[] = [
    { id: 'a list that is not packed', wire: '28 01 28 02 28 03', value: { weights: [1, 2, 3] } },
    { id: 'a list in several parts', wire: '2a 01 01 28 02 2a 02 03 04', value: { weights: [1, 2, 3, 4] } },
    { id: 'a list that is packed and empty', wire: '2a 00', value: {} },
    { id: 'defaults that are written', wire: '0a 00 10 00 1a 00 20 00', value: {} },
    { id: 'fields in another order', wire: '10 05 0a 01 61', value: { name: 'a', count: 5 } },
    { id: 'a number with bytes too many', wire: '10 85 80 80 80 80 80 80 80 80 00', value: { count: 5 } },
    { id: 'the last of several numbers', wire: '10 05 10 06', value: { count: 6 } },
    { id: 'the last of several texts', wire: '0a 01 61 0a 01 62', value: { name: 'b' } },
    { id: 'the last of several messages', wire: '3a 02 08 01 3a 00', value: { inner: { a: 0 } } },
    { id: 'another yes', wire: '20 96 01', value: { isGood: true } },
    {
      id: 'unknown fields of every wire type',
      wire: '50 ff ff ff ff ff ff ff ff ff 01 51 00 00 00 00 00 00 00 00 52 02 ff ff 55 00 00 00 00 10 07',
      value: { count: 7 },
    },
    { id: 'the highest field number', wire: 'f8 ff ff ff 0f 01 10 07', value: { count: 7 } },
  ]
  for (const { id, wire, value } of cases) {
    it(id, () => assert.deepEqual(ALL.decode(unhex(wire)), { value: { ...NOTHING, ...value } }))
  }
})

describe('the wire codec refuses', () => {
  const cases: { id: string; wire: string; problem: string; isExcess?: boolean }[] = [
    { id: 'a tag without an end', wire: '80', problem: 'ends too soon' },
    { id: 'a field without a value', wire: '10', problem: 'count: ends too soon' },
    { id: 'a number without an end', wire: '10 80', problem: 'count: ends too soon' },
    {
      id: 'a number of 11 bytes',
      wire: '10 80 80 80 80 80 80 80 80 80 80 01',
      problem: 'count: a number has more than 10 bytes',
    },
    {
      id: 'a number of 54 bits',
      wire: '10 80 80 80 80 80 80 80 10',
      problem: 'count: a number has more than 53 bits',
    },
    {
      id: 'a number of 64 bits, such as −1',
      wire: '10 ff ff ff ff ff ff ff ff ff 01',
      problem: 'count: a number has more than 53 bits',
    },
    { id: 'a text that is cut', wire: '0a 02 61', problem: 'name: ends too soon' },
    { id: 'a length that is cut', wire: '0a 80', problem: 'name: ends too soon' },
    {
      id: 'a text that is too long',
      wire: `0a 09 ${'61'.repeat(9)}`,
      problem: 'name: 9 bytes are not 0 to 8',
    },
    {
      id: 'a text of which it says that it is too long',
      wire: '0a ff ff ff ff 0f',
      problem: 'name: 4294967295 bytes are not 0 to 8',
    },
    { id: 'half a letter', wire: '0a 01 c3', problem: 'name: is not UTF-8' },
    { id: 'a surrogate', wire: '0a 03 ed a0 80', problem: 'name: is not UTF-8' },
    { id: 'a letter that is written too long', wire: '0a 02 c0 80', problem: 'name: is not UTF-8' },
    { id: 'bytes that are too long', wire: '1a 05 00 00 00 00 00', problem: 'raw: 5 bytes are not 0 to 4' },
    { id: 'a number over its limit', wire: '40 0b', problem: 'maybe: 11 is not from 0 to 10' },
    { id: 'an item over its limit', wire: '2a 02 e9 07', problem: 'weights: 1001 is not from 0 to 1000' },
    { id: 'an item under its limit', wire: '32 00', problem: 'names: 0 bytes are not 1 to 4' },
    {
      id: 'too many items',
      wire: '28 01 28 02 28 03 28 04 28 05',
      problem: 'weights: more than 4',
      isExcess: true,
    },
    {
      id: 'too many items, packed',
      wire: '2a 05 01 02 03 04 05',
      problem: 'weights: more than 4',
      isExcess: true,
    },
    {
      id: 'too many items in several parts',
      wire: '2a 03 01 02 03 2a 02 04 05',
      problem: 'weights: more than 4',
      isExcess: true,
    },
    { id: 'a packed list that ends within a number', wire: '2a 01 80 01', problem: 'weights: ends too soon' },
    { id: 'a list that is longer than the frame', wire: '2a 05 01', problem: 'weights: ends too soon' },
    { id: 'an inner message that is cut', wire: '3a 03 08 96', problem: 'inner: ends too soon' },
    {
      id: 'an inner message that ends within a number',
      wire: '3a 02 08 96 01',
      problem: 'inner: a: ends too soon',
    },
    { id: 'a field with another wire type', wire: '0d 00 00 00 00', problem: 'name: wire type 5' },
    { id: 'a number where a text should be', wire: '08 01', problem: 'name: wire type 0' },
    { id: 'a text where a number should be', wire: '12 00', problem: 'count: wire type 2' },
    { id: 'a list of texts that is a number', wire: '30 00', problem: 'names: wire type 0' },
    { id: 'field 0', wire: '00 00', problem: 'a field has no valid number' },
    { id: 'a field number of 30 bits', wire: '80 80 80 80 10 00', problem: 'a field has no valid number' },
    { id: 'groups', wire: '53 54', problem: 'wire type 3' },
    { id: 'wire type 7', wire: '57', problem: 'wire type 7' },
    { id: 'an unknown number that is cut', wire: '50 ff', problem: 'ends too soon' },
    {
      id: 'an unknown number of 11 bytes',
      wire: '50 ff ff ff ff ff ff ff ff ff ff 01 00',
      problem: 'a number has more than 10 bytes',
    },
    { id: 'unknown bytes that are cut', wire: '52 02 00', problem: 'ends too soon' },
    { id: 'eight unknown bytes that are cut', wire: '51 00 00 00 00 00 00 00', problem: 'ends too soon' },
    { id: 'four unknown bytes that are cut', wire: '55 00 00 00', problem: 'ends too soon' },
    { id: 'a frame that is too long', wire: '00'.repeat(1_025), problem: '1025 bytes are more than 1024' },
  ]
  for (const { id, wire, problem, isExcess = false } of cases) {
    it(id, () => assert.deepEqual(ALL.decode(unhex(wire)), { problem, isExcess }))
  }

  it('what is missing and may not be', () => {
    const strict = message({
      at: nested(1, INNER),
      name: text(2, { minBytes: 1, maxBytes: 4 }),
      nonce: bytes(3, { minBytes: 2, maxBytes: 2 }),
      from: uint(4, { min: 5, max: 9 }),
      list: repeated(bool(5), { min: 2, max: 3 }),
    })
    const parts = ['0a00', '120161', '1a020000', '2005', '2a020001']
    const names = ['at: is missing', 'name: is missing', 'nonce: is missing', 'from: is missing']
    assert.equal(strict.decode(unhex(parts.join(''))).problem, undefined)
    for (const [index, problem] of [...names, 'list: fewer than 2'].entries()) {
      const rest = parts.filter((_, other) => other !== index).join('')
      assert.deepEqual(strict.decode(unhex(rest)), { problem, isExcess: false })
    }
    assert.equal(strict.decode(unhex('2004')).problem, 'from: 4 is not from 5 to 9')
  })
})

describe('the wire codec', () => {
  it('gives views of the frame, and of nothing before or behind it', () => {
    const store = unhex('ffff 1a02 0102 ffff')
    const { value } = ALL.decode(store.subarray(2, 6))
    assert.deepEqual(value?.raw, Uint8Array.of(1, 2))
    assert.equal(value?.raw.buffer, store.buffer)
    assert.equal(ALL.decode(store.subarray(2, 5)).problem, 'raw: ends too soon')
  })

  it('does not share lists between messages', () => {
    const first = ALL.decode(unhex('2801')).value
    const second = ALL.decode(unhex('2802')).value
    assert.deepEqual([first?.weights, second?.weights], [[1], [2]])
    assert.ok(Object.isFrozen(ALL.decode(unhex('')).value?.weights))
  })

  it('asserts the limits of what it writes', () => {
    const bad: [field: Partial<Record<keyof typeof NOTHING, unknown>>, problem: RegExp][] = [
      [{ name: 'ninebytes' }, /name: 9 bytes/],
      [{ name: '\ud800' }, /name: is not Unicode/],
      [{ count: -1 }, /count: -1/],
      [{ count: 0.5 }, /count: 0.5/],
      [{ count: 2 ** 53 }, /count: 9007199254740992/],
      [{ raw: new Uint8Array(5) }, /raw: 5 bytes/],
      [{ weights: [1, 2, 3, 4, 5] }, /weights: 5 are not 0 to 4/],
      [{ weights: [1_001] }, /weights: 1001/],
      [{ names: [''] }, /names: 0 bytes/],
      [{ inner: { a: -1 } }, /inner: a: -1/],
      [{ maybe: 11 }, /maybe: 11/],
    ]
    for (const [field, problem] of bad) {
      assert.throws(() => ALL.encode({ ...NOTHING, ...field } as typeof NOTHING), {
        name: 'AssertionError',
        message: problem,
      })
    }
  })

  it('knows how long its messages can become', () => {
    const fullest = {
      name: 'eight by',
      count: MAX,
      raw: new Uint8Array(4),
      isGood: true,
      weights: [1_000, 1_000, 1_000, 1_000],
      names: ['four', 'four', 'four'],
      inner: { a: MAX },
      maybe: 10,
      far: 1,
    }
    assert.equal(ALL.encode(fullest).byteLength, ALL.maxBytes)
    assert.equal(ALL.frameMaxBytes, 1_024)
    assert.equal(INNER.frameMaxBytes, INNER.maxBytes)
  })

  it('refuses schemas that make no sense', () => {
    const bad: (() => unknown)[] = [
      () => message({ a: bool(1), b: bool(1) }),
      () => message({ a: bool(0) }),
      () => message({ a: bool(2_048) }),
      () => message({ a: bool(1.5) }),
      () => message({ a: text(1, { maxBytes: 100 }) }, 100),
      () => text(1, { minBytes: 2, maxBytes: 1 }),
      () => bytes(1, { maxBytes: Number.POSITIVE_INFINITY }),
      () => uint(1, { max: 2 ** 53 }),
      () => uint(1, { min: 2, max: 1 }),
      () => repeated(bool(1), { max: -1 }),
    ]
    for (const make of bad) assert.throws(make, assert.AssertionError, make.toString())
  })

  it('skips so many unknown fields and no more, in the message and inside it', () => {
    const wide = message({ inner: nested(1, message({ a: bool(1) }, 4_000)) }, 8_000)
    const some = '5000'.repeat(UNKNOWN_FIELDS_MAX / 2)
    const inner = `0ae807${some}`
    assert.equal(wide.decode(unhex(`${inner}${some}`)).problem, undefined)
    assert.equal(wide.decode(unhex(`${inner}${some}5000`)).problem, 'more than 1000 unknown fields')
    assert.match(wide.decode(unhex(`${some}5000${inner}`)).problem ?? '', /^inner: more than 1000 unknown/)
  })
})
