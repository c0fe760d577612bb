import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytes, message, nested, repeated, text, uint } from '../../src/core/wire.ts'
import {
  CAPABILITIES,
  commonVersion,
  HELLO_LIMITS,
  type Hello,
  helloOf,
  helloProtocol,
  NONCE_BYTES,
  readHello,
  VERSIONS,
} from '../../src/peers/hello.ts'

const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

const OURS = {
  network: 'demo',
  addresses: ['203.0.113.7:9000', '[2001:db8::1]:9001'],
  agent: 'floodgate/0.1.0',
  nonce: NONCE,
}

/** The same fields without the limits: what a broken or hostile node may send. */
const LOOSE = message(
  {
    network: text(1, { maxBytes: 8_192 }),
    versions: repeated(uint(2, { max: Number.MAX_SAFE_INTEGER }), { max: 5_000 }),
    capabilities: repeated(text(3, { maxBytes: 100 }), { max: 100 }),
    addresses: repeated(
      nested(4, message({ ip: bytes(1, { maxBytes: 32 }), port: uint(2, { max: 100_000 }) })),
      { max: 100 },
    ),
    agent: text(5, { maxBytes: 1_000 }),
    nonce: bytes(6, { maxBytes: 100 }),
  },
  1_000_000,
)

const HONEST = {
  network: 'demo',
  versions: [1],
  capabilities: ['pex/1'],
  addresses: [{ ip: Uint8Array.of(203, 0, 113, 7), port: 9_000 }],
  agent: 'other/2.0',
  nonce: NONCE,
}

const read = (changed: Partial<typeof HONEST>): ReturnType<typeof readHello> =>
  readHello(LOOSE.encode({ ...HONEST, ...changed }))

describe('a hello', () => {
  it('is read as it was made', () => {
    assert.deepEqual(readHello(helloOf(OURS)), {
      value: { ...OURS, versions: VERSIONS, capabilities: CAPABILITIES },
    })
  })

  it('says what else a node speaks, where that is not everything', () => {
    assert.deepEqual(readHello(helloOf({ ...OURS, capabilities: [] })).value?.capabilities, [])
  })

  it('belongs to the protocol of its network', () => {
    assert.equal(helloProtocol('demo'), '/floodgate/demo/hello/1')
  })

  it('tells eight addresses at most, and the begin of a long agent in ASCII', () => {
    const addresses = Array.from({ length: 12 }, (_, index) => `203.0.113.${index}:9000`)
    const { value } = readHello(helloOf({ ...OURS, addresses, agent: `prøgramme/${'1'.repeat(80)}` }))
    assert.deepEqual(value?.addresses, addresses.slice(0, 8))
    assert.equal(value?.agent, `pr?gramme/${'1'.repeat(54)}`)
  })

  it('fits its frame at its fullest, with room for later fields', () => {
    const fullest = helloOf({
      network: 'n'.repeat(32),
      versions: Array.from({ length: 8 }, () => 2 ** 31 - 1),
      capabilities: Array.from({ length: 16 }, () => 'c'.repeat(32)),
      addresses: Array.from({ length: 8 }, () => '[2001:db8:1111:2222:3333:4444:5555:6666]:65535'),
      agent: 'a'.repeat(64),
      nonce: NONCE,
    })
    assert.ok(fullest.byteLength < HELLO_LIMITS.frameMaxBytes / 2, `${fullest.byteLength} bytes`)
    assert.equal(readHello(fullest).problem, undefined)
    const later = Buffer.concat([fullest, Buffer.from('f20180100000', 'hex'), Buffer.alloc(2_046)])
    assert.equal(readHello(later).problem, undefined)
  })

  it('keeps nothing of its frame', () => {
    const frame = helloOf(OURS)
    const hello = readHello(frame).value
    frame.fill(0)
    assert.deepEqual(hello?.nonce, NONCE)
  })

  it('has its addresses in one form, and without those that are none', () => {
    const mapped = Uint8Array.from([...new Uint8Array(10), 255, 255, 192, 0, 2, 1])
    const { value } = read({
      addresses: [
        { ip: mapped, port: 1 },
        { ip: Uint8Array.of(192, 0, 2, 2), port: 0 },
        { ip: new Uint8Array(5), port: 1 },
        { ip: new Uint8Array(16), port: 65_535 },
      ],
    })
    assert.deepEqual(value?.addresses, ['192.0.2.1:1', '[::]:65535'])
  })

  it('shows nothing of an agent that a terminal would obey', () => {
    assert.equal(read({ agent: 'a\u001b[2Jb\n\u202ec\u007f' }).value?.agent, 'a?[2Jb??c?')
  })

  const refused: { id: string; changed: Partial<typeof HONEST>; problem: RegExp; isExcess?: boolean }[] = [
    { id: 'no network', changed: { network: '' }, problem: /^network: is missing$/ },
    { id: 'a long network', changed: { network: 'n'.repeat(33) }, problem: /^network: 33 bytes/ },
    { id: 'no nonce', changed: { nonce: new Uint8Array(0) }, problem: /^nonce: is missing$/ },
    { id: 'a short nonce', changed: { nonce: new Uint8Array(7) }, problem: /^nonce: 7 bytes/ },
    { id: 'a long nonce', changed: { nonce: new Uint8Array(9) }, problem: /^nonce: 9 bytes/ },
    { id: 'a long agent', changed: { agent: 'a'.repeat(65) }, problem: /^agent: 65 bytes/ },
    {
      id: 'nine versions',
      changed: { versions: Array(9).fill(1) },
      problem: /^versions: more than 8$/,
      isExcess: true,
    },
    { id: 'a version of 32 bits', changed: { versions: [2 ** 31] }, problem: /^versions: 2147483648/ },
    {
      id: 'seventeen capabilities',
      changed: { capabilities: Array(17).fill('c') },
      problem: /^capabilities: more than 16$/,
      isExcess: true,
    },
    { id: 'an empty capability', changed: { capabilities: [''] }, problem: /^capabilities: 0 bytes/ },
    {
      id: 'a long capability',
      changed: { capabilities: ['c'.repeat(33)] },
      problem: /^capabilities: 33 bytes/,
    },
    {
      id: 'nine addresses',
      changed: { addresses: Array(9).fill(HONEST.addresses[0]) },
      problem: /^addresses: more than 8$/,
      isExcess: true,
    },
    {
      id: 'an address of 17 bytes',
      changed: { addresses: [{ ip: new Uint8Array(17), port: 1 }] },
      problem: /^addresses: ip: 17 bytes/,
    },
    {
      id: 'an address of 3 bytes',
      changed: { addresses: [{ ip: new Uint8Array(3), port: 1 }] },
      problem: /^addresses: ip: 3 bytes/,
    },
    {
      id: 'a port of 17 bits',
      changed: { addresses: [{ ip: new Uint8Array(4), port: 65_536 }] },
      problem: /^addresses: port: 65536/,
    },
    { id: '4 KiB', changed: { network: 'n'.repeat(4_096) }, problem: /bytes are more than 4096$/ },
  ]
  for (const { id, changed, problem, isExcess = false } of refused) {
    it(`is refused with ${id}`, () => {
      const decoded = read(changed)
      assert.match(decoded.problem ?? '', problem)
      assert.equal(decoded.problem !== undefined && decoded.isExcess, isExcess)
    })
  }

  it('is refused when it is empty', () => {
    assert.equal(readHello(new Uint8Array(0)).problem, 'network: is missing')
  })

  it('never throws, whatever comes', () => {
    const frame = helloOf(OURS)
    const spoilt = fc.array(fc.tuple(fc.nat({ max: frame.byteLength - 1 }), fc.nat({ max: 255 })), {
      maxLength: 4,
    })
    let read = 0
    const property = fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), spoilt), junk => {
      const bytes = junk instanceof Uint8Array ? junk : Uint8Array.from(frame)
      if (!(junk instanceof Uint8Array)) for (const [at, byte] of junk) bytes[at] = byte
      const { value } = readHello(bytes)
      if (value === undefined) return
      read++
      assert.equal(value.nonce.byteLength, NONCE_BYTES)
      // What was read can be said again.
      assert.deepEqual(readHello(helloOf(value)).value, value)
    })
    fc.assert(property, { numRuns: 5_000 })
    assert.ok(read > 100, `only ${read} were read`)
  })
})

describe('the common version', () => {
  const hello: Hello = { ...OURS, versions: [], capabilities: [] }
  for (const [versions, common] of [
    [[1], 1],
    [[2, 1], 1],
    [[2], undefined],
    [[], undefined],
  ] as const) {
    it(`of ${JSON.stringify(versions)} is ${common}`, () => {
      assert.equal(commonVersion({ ...hello, versions }), common)
    })
  }
})
