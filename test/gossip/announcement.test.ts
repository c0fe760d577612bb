/**
 * Announcements: the vectors of `docs/protocols.md` (made with Python, by hand from the definition), what is refused,
 * random ones there and back, and bytes that no encoder has written. `SEED` repeats a run.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { messageId, messageKey } from '../../src/core/hash.ts'
import { Random } from '../../src/core/random.ts'
import type { MessageId } from '../../src/core/types.ts'
import {
  ANNOUNCEMENT_MAX_BYTES,
  announceTopic,
  encodeItems,
  encodeSwarm,
  ITEMS_MAX,
  readAnnouncement,
  type SwarmHead,
  signedBytes,
} from '../../src/gossip/announcement.ts'
import { merkleTree } from '../../src/gossip/merkle.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251)
const item = (id: MessageId, sizeBytes: number) => ({ id, key: messageKey(id), sizeBytes })
const items = (count: number, sizeBytes = 300) =>
  Array.from({ length: count }, (_, index) => item(messageId('tx', bytes(`${index}`)), sizeBytes))
const { SEED } = process.env
const seed = SEED === undefined ? {} : { seed: Number(SEED) }

const ORIGIN = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'

const HEAD: SwarmHead = {
  id: messageId('blocks', counting(5_000)),
  sizeBytes: 5_000,
  chunkBytes: 1_024,
  root: merkleTree(counting(5_000), 1_024).root,
  header: counting(8),
  origin: ORIGIN,
  signature: counting(64),
}

const ITEMS_FRAME =
  '0a28bcb1eab53bbbe69991e901deb4edef4d3bd275ddc5edd8a36a677bece0e98edb39b0f458187f1751120300ac02'
const SWARM_FRAME =
  '1ab4010a148829ec36384106bb530e2aef95d229b9ca0cda281088271880082214a152c62523986c6c6dc91d6b37f099fe7879317b2a0800010203040506073234313244334b6f6f5745796f70704e43557838597836366f5639664a6e726958774363587744445541326b6a36766e6336694445703a40000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f'
const SIGNED =
  '666c6f6f64676174652d737761726d2d31000000000464656d6f00000006626c6f636b7300000034313244334b6f6f5745796f70704e43557838597836366f5639664a6e726958774363587744445541326b6a36766e6336694445708829ec36384106bb530e2aef95d229b9ca0cda28000000000000138800000400a152c62523986c6c6dc91d6b37f099fe7879317bf422108c43bad02773c989e90a027729b0fd3b8c'

describe('the vectors', () => {
  const two = [item(messageId('tx', bytes('')), 0), item(messageId('tx', bytes('hello')), 300)]

  it('items', () => {
    assert.equal(hex(encodeItems(two)), ITEMS_FRAME)
    assert.deepEqual(readAnnouncement(unhex(ITEMS_FRAME)), { value: { type: 'items', items: two } })
  })

  it('a swarm', () => {
    assert.equal(hex(encodeSwarm(HEAD)), SWARM_FRAME)
    assert.deepEqual(readAnnouncement(unhex(SWARM_FRAME)), { value: { type: 'swarm', swarm: HEAD } })
  })

  it('what the origin signs', () => assert.equal(hex(signedBytes('demo', 'blocks', HEAD)), SIGNED))

  it('the topic', () => assert.equal(announceTopic('blocks'), 'blocks/announce'))
})

/** The fields of a head in their order, some replaced. */
function headFrame(change: Record<number, string> = {}): Uint8Array {
  const fields: Record<number, string> = {
    1: `0a14${hex(HEAD.id)}`,
    2: '108827',
    3: '188008',
    4: `2214${hex(HEAD.root)}`,
    5: '2a020102',
    6: '3204 51515151',
    7: '3a00',
    ...change,
  }
  const content = unhex(Object.values(fields).join(''))
  const length = [(content.byteLength % 128) + 128, Math.floor(content.byteLength / 128)]
  return Uint8Array.from([0x1a, ...length, ...content])
}

describe('an announcement', () => {
  const a = '11'.repeat(20)
  const b = '22'.repeat(20)
  const full = encodeItems(items(ITEMS_MAX, 2 ** 26))

  const read: { id: string; frame: Uint8Array; sizes?: number[] }[] = [
    { id: 'one item', frame: unhex(`0a14 ${a} 1201 05`), sizes: [5] },
    { id: 'sizes that are not packed', frame: unhex(`0a28 ${a}${b} 1005 1006`), sizes: [5, 6] },
    { id: 'the sizes first', frame: unhex(`1202 0506 0a28 ${a}${b}`), sizes: [5, 6] },
    { id: 'a field of a later version', frame: unhex(`0a14 ${a} 1201 05 2203 000000`), sizes: [5] },
    { id: 'the last of two lists of ids', frame: unhex(`0a14 ${a} 0a14 ${b} 1201 05`), sizes: [5] },
    { id: 'the fullest', frame: full, sizes: Array(ITEMS_MAX).fill(2 ** 26) },
    { id: 'a swarm', frame: headFrame() },
    { id: 'a swarm without a header or a signature', frame: headFrame({ 5: '', 7: '' }) },
    { id: 'a swarm of one byte', frame: headFrame({ 2: '1001' }) },
    { id: 'a swarm of 64 MiB', frame: headFrame({ 2: '1080808020', 3: '18808001' }) },
    { id: 'a swarm of a later version', frame: headFrame({ 8: '4203000000' }) },
  ]
  for (const { id, frame, sizes } of read) {
    it(`is read: ${id}`, () => {
      const { value, problem } = readAnnouncement(frame)
      assert.equal(problem, undefined)
      if (value?.type !== 'items') assert.equal(sizes, undefined)
      else
        assert.deepEqual(
          value.items.map(item => item.sizeBytes),
          sizes,
        )
    })
  }

  const refused: { id: string; frame: Uint8Array; problem: RegExp; isExcess?: boolean }[] = [
    { id: 'nothing', frame: new Uint8Array(0), problem: /^is empty$/ },
    { id: 'only what is not known', frame: unhex('2203 000000'), problem: /^is empty$/ },
    { id: 'sizes alone', frame: unhex('1201 05'), problem: /^is empty$/ },
    { id: 'no ids', frame: unhex('0a00'), problem: /^ids: 0 bytes/ },
    { id: 'ids without sizes', frame: unhex(`0a14 ${a}`), problem: /^sizes: 0 for 1 ids$/ },
    { id: 'a size too few', frame: unhex(`0a28 ${a}${b} 1201 05`), problem: /^sizes: 1 for 2 ids$/ },
    { id: 'a size too many', frame: unhex(`0a14 ${a} 1202 0505`), problem: /^sizes: 2 for 1 ids$/ },
    { id: 'an id of 19 bytes', frame: unhex(`0a13 ${a.slice(2)} 1201 05`), problem: /^ids: 19 bytes/ },
    { id: 'an id of 21 bytes', frame: unhex(`0a15 ${a}00 1201 05`), problem: /^ids: 21 bytes$/ },
    { id: 'an id twice', frame: unhex(`0a3c ${a}${b}${a} 1203 050505`), problem: /^ids: one comes twice$/ },
    {
      id: 'a size above 64 MiB',
      frame: unhex(`0a14 ${a} 1204 81808020`),
      problem: /^sizes: 67108865 is not/,
    },
    {
      id: '257 ids',
      frame: Uint8Array.from([0x0a, 0x94, 0x28, ...new Uint8Array(257 * 20)]),
      problem: /^ids: 5140 bytes are not 20 to 5120$/,
    },
    {
      id: '257 sizes',
      frame: unhex(`1281 02 ${'05'.repeat(257)}`),
      problem: /^sizes: more than 256$/,
      isExcess: true,
    },
    { id: 'more bytes than any', frame: new Uint8Array(ANNOUNCEMENT_MAX_BYTES + 1), problem: /^8193 bytes/ },
    { id: 'ids that are cut', frame: full.subarray(0, 2_000), problem: /^ids: ends too soon$/ },
    {
      id: 'items and a swarm',
      frame: Uint8Array.from([...unhex(`0a14 ${a} 1201 05`), ...headFrame()]),
      problem: /^has items and a swarm$/,
    },
    {
      id: 'sizes and a swarm',
      frame: Uint8Array.from([...headFrame(), ...unhex('1201 05')]),
      problem: /^has items and a swarm$/,
    },
    { id: 'a swarm without anything', frame: unhex('1a00'), problem: /^swarm: \w+: is missing$/ },
    { id: 'a swarm without an id', frame: headFrame({ 1: '' }), problem: /^swarm: id: is missing$/ },
    { id: 'a swarm without a size', frame: headFrame({ 2: '' }), problem: /^swarm: sizeBytes: is missing$/ },
    { id: 'a swarm of nothing', frame: headFrame({ 2: '1000' }), problem: /^swarm: sizeBytes: 0 is not/ },
    {
      id: 'a swarm above 64 MiB',
      frame: headFrame({ 2: '1081808020', 3: '18808040' }),
      problem: /^swarm: sizeBytes: 67108865/,
    },
    {
      id: 'a swarm without a chunk size',
      frame: headFrame({ 3: '' }),
      problem: /^swarm: chunkBytes: is missing$/,
    },
    {
      id: 'chunks of 512 bytes',
      frame: headFrame({ 3: '188004' }),
      problem: /^swarm: chunkBytes: 512 is not/,
    },
    { id: 'chunks of 2 MiB', frame: headFrame({ 3: '1880808001' }), problem: /^swarm: chunkBytes: 2097152/ },
    { id: 'chunks of 1,025 bytes', frame: headFrame({ 3: '188108' }), problem: /in chunks of 1025$/ },
    {
      id: 'more than 4,096 chunks',
      frame: headFrame({ 2: '1081808002' }),
      problem: /^swarm: 4194305 bytes in chunks of 1024$/,
    },
    { id: 'a swarm without a root', frame: headFrame({ 4: '' }), problem: /^swarm: root: is missing$/ },
    { id: 'a root of 21 bytes', frame: headFrame({ 4: `2215${a}00` }), problem: /^swarm: root: 21 bytes/ },
    {
      id: 'a header of 1,025 bytes',
      frame: headFrame({ 5: `2a8108${'00'.repeat(1_025)}` }),
      problem: /^swarm: header: 1025 bytes/,
    },
    { id: 'a swarm without an origin', frame: headFrame({ 6: '' }), problem: /^swarm: origin: is missing$/ },
    { id: 'an empty origin', frame: headFrame({ 6: '3200' }), problem: /^swarm: origin: 0 bytes/ },
    {
      id: 'an origin of 65 bytes',
      frame: headFrame({ 6: `3241${'51'.repeat(65)}` }),
      problem: /^swarm: origin: 65 bytes/,
    },
    {
      id: 'an origin that could not be printed',
      frame: headFrame({ 6: '3203510a51' }),
      problem: /^swarm: origin: is no peer id$/,
    },
    { id: 'an origin with an end of line', frame: headFrame({ 6: '3202510a' }), problem: /is no peer id$/ },
    { id: 'an origin that is no text', frame: headFrame({ 6: '3201ff' }), problem: /origin: is not UTF-8$/ },
    {
      id: 'a signature of 513 bytes',
      frame: headFrame({ 7: `3a8104${'00'.repeat(513)}` }),
      problem: /^swarm: signature: 513 bytes/,
    },
  ]
  for (const { id, frame, problem, isExcess = false } of refused) {
    it(`is refused: ${id}`, () => {
      const decoded = readAnnouncement(frame)
      assert.match(decoded.problem ?? '', problem)
      assert.equal(decoded.problem !== undefined && decoded.isExcess, isExcess)
    })
  }

  it('leaves room for later fields at its fullest', () => {
    const head = { ...HEAD, sizeBytes: 2 ** 26, chunkBytes: 2 ** 20, origin: 'Q'.repeat(64) }
    const swarm = encodeSwarm({ ...head, header: new Uint8Array(1_024), signature: new Uint8Array(512) })
    assert.ok(
      full.byteLength <= 6_150 && swarm.byteLength <= 1_700,
      `${full.byteLength}, ${swarm.byteLength}`,
    )
    assert.ok(full.byteLength < ANNOUNCEMENT_MAX_BYTES * 0.8)
  })

  it('owns its bytes', () => {
    for (const text of [ITEMS_FRAME, SWARM_FRAME]) {
      const frame = unhex(text)
      const { value } = readAnnouncement(frame)
      const before = structuredClone(value)
      frame.fill(0xff)
      assert.deepEqual(value, before)
      const views =
        value?.type === 'swarm'
          ? [value.swarm.id, value.swarm.root, value.swarm.header, value.swarm.signature]
          : (value?.items ?? []).map(({ id }) => id)
      for (const view of views) assert.equal(view.buffer.byteLength, view.byteLength)
    }
  })

  it('is read from anywhere in a buffer', () => {
    const buffer = Buffer.concat([Buffer.alloc(13), unhex(ITEMS_FRAME), unhex(SWARM_FRAME), Buffer.alloc(7)])
    const split = 13 + ITEMS_FRAME.length / 2
    assert.deepEqual(readAnnouncement(buffer.subarray(13, split)), readAnnouncement(unhex(ITEMS_FRAME)))
    assert.deepEqual(readAnnouncement(buffer.subarray(split, -7)), readAnnouncement(unhex(SWARM_FRAME)))
  })

  const misuse: { id: string; make: () => Uint8Array }[] = [
    { id: 'no items', make: () => encodeItems([]) },
    { id: '257 items', make: () => encodeItems(items(257)) },
    { id: 'an item twice', make: () => encodeItems([...items(2), ...items(1)]) },
    { id: 'a size above 64 MiB', make: () => encodeItems(items(1, 2 ** 26 + 1)) },
    {
      id: 'ids of 19 and 21 bytes',
      make: () =>
        encodeItems([19, 21].map(length => ({ id: new Uint8Array(length) as MessageId, sizeBytes: 1 }))),
    },
    { id: 'chunks that are no power of two', make: () => encodeSwarm({ ...HEAD, chunkBytes: 1_500 }) },
    { id: 'too many chunks', make: () => encodeSwarm({ ...HEAD, sizeBytes: 4_096 * 1_024 + 1 }) },
    { id: 'an origin that is no peer id', make: () => encodeSwarm({ ...HEAD, origin: 'a b' }) },
    { id: 'a long header', make: () => encodeSwarm({ ...HEAD, header: new Uint8Array(1_025) }) },
    { id: 'a short root', make: () => encodeSwarm({ ...HEAD, root: new Uint8Array(19) }) },
  ]
  for (const { id, make } of misuse) {
    it(`is not made with ${id}`, () => assert.throws(make, assert.AssertionError))
  }
})

describe('what the origin signs', () => {
  const base = { network: 'demo', topic: 'blocks', head: HEAD }
  const changed: { id: string; change: Partial<typeof base> }[] = [
    { id: 'network', change: { network: 'demo2' } },
    { id: 'topic', change: { topic: 'block' } },
    { id: 'id', change: { head: { ...HEAD, id: messageId('blocks', counting(1)) } } },
    { id: 'size', change: { head: { ...HEAD, sizeBytes: 5_001 } } },
    { id: 'chunk size', change: { head: { ...HEAD, chunkBytes: 2_048 } } },
    { id: 'root', change: { head: { ...HEAD, root: counting(20) } } },
    { id: 'header', change: { head: { ...HEAD, header: counting(9) } } },
    { id: 'empty header', change: { head: { ...HEAD, header: new Uint8Array(0) } } },
    { id: 'origin', change: { head: { ...HEAD, origin: ORIGIN.slice(1) } } },
    { id: 'border of network and topic', change: { network: 'demob', topic: 'locks' } },
    {
      id: 'border of topic and origin',
      change: { topic: 'blocks1', head: { ...HEAD, origin: ORIGIN.slice(1) } },
    },
  ]
  for (const { id, change } of changed) {
    it(`is something else for another ${id}`, () => {
      const { network, topic, head } = { ...base, ...change }
      assert.notEqual(hex(signedBytes(network, topic, head)), SIGNED)
    })
  }

  it('does not depend on the signature', () => {
    const { signature: _, ...unsigned } = HEAD
    assert.equal(hex(signedBytes('demo', 'blocks', unsigned)), SIGNED)
  })
})

const ORDINARY = { noNullPrototype: true }
const idBytes = fc.uint8Array({ minLength: 20, maxLength: 20 })
const someItems = fc.uniqueArray(
  fc
    .tuple(idBytes, fc.oneof(fc.nat({ max: 2 ** 26 }), fc.constantFrom(0, 127, 128, 2 ** 26)))
    .map(([id, sizeBytes]) => item(id as MessageId, sizeBytes)),
  { minLength: 1, maxLength: 20, selector: one => one.key },
)
const head: fc.Arbitrary<SwarmHead> = fc
  .record(
    {
      id: idBytes.map(id => id as MessageId),
      sizeBytes: fc.integer({ min: 1, max: 2 ** 26 }),
      chunkBytes: fc.integer({ min: 10, max: 20 }).map(power => 2 ** power),
      root: idBytes,
      header: fc.uint8Array({ maxLength: 1_024 }),
      origin: fc.stringMatching(/^[0-9A-Za-z]{1,64}$/),
      signature: fc.uint8Array({ maxLength: 512 }),
    },
    ORDINARY,
  )
  .map(one => ({ ...one, sizeBytes: Math.min(one.sizeBytes, 4_096 * one.chunkBytes) }))

describe('random announcements', () => {
  it('come back as they were', () => {
    const property = fc.property(someItems, head, (items, swarm) => {
      assert.deepEqual(readAnnouncement(encodeItems(items)), { value: { type: 'items', items } })
      assert.deepEqual(readAnnouncement(encodeSwarm(swarm)), { value: { type: 'swarm', swarm } })
    })
    fc.assert(property, { numRuns: 200, ...seed })
  })
})

describe('random bytes', () => {
  it('are an announcement within the limits or a problem, 50,000 times', () => {
    const name = SEED ?? String(Date.now())
    const random = new Random(name)
    const honest = [
      ...fc.sample(someItems, { numRuns: 30, seed: random.uint32() }).map(encodeItems),
      ...fc.sample(head, { numRuns: 30, seed: random.uint32() }).map(encodeSwarm),
      headFrame(),
    ]
    const counts = { items: 0, swarm: 0, problems: 0 }
    for (let run = 0; run < 50_000; run++) {
      const frame = run % 4 === 0 ? junk(random) : spoilt(honest[random.below(honest.length)], random)
      try {
        const { value, problem } = readAnnouncement(frame)
        counts[value?.type ?? 'problems']++
        assert.ok((value === undefined) !== (problem === undefined))
        // Encoding asserts every limit.
        if (value !== undefined) {
          const again = value.type === 'items' ? encodeItems(value.items) : encodeSwarm(value.swarm)
          assert.deepEqual(readAnnouncement(again), { value })
        }
      } catch (error) {
        assert.fail(`SEED=${name}, ${hex(frame)}: ${error}`)
      }
    }
    // No answer is checked in name only.
    assert.ok(
      counts.items > 2_000 && counts.swarm > 2_000 && counts.problems > 10_000,
      JSON.stringify(counts),
    )
  })
})

function junk(random: Random): Uint8Array {
  const bytes = new Uint8Array(random.below(64))
  random.fill(bytes)
  // Half of it begins like something.
  if (bytes.byteLength > 2 && random.below(2) === 0)
    bytes.set([[0x0a, 0x12, 0x1a][random.below(3)] ?? 0, bytes.byteLength - 2])
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
