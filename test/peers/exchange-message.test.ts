import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { endpointFrom } from '../../src/core/endpoint.ts'
import {
  ANSWER_MAX,
  ANSWER_MAX_BYTES,
  answerOf,
  entryOf,
  exchangeProtocol,
  QUESTION_FRAME,
  QUESTION_MAX_BYTES,
  readAnswer,
  readQuestion,
} from '../../src/peers/exchange-message.ts'
import { entries, frameOf } from './exchange-setup.ts'

const unhex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))

const ready = (
  told: readonly { endpoint: string; lastSuccessS: number }[],
  retryAfterS: number,
): Uint8Array =>
  answerOf(
    told.map(({ endpoint, lastSuccessS }) => entryOf(endpoint, lastSuccessS)),
    retryAfterS,
  )

describe('a question', () => {
  const frames: { id: string; frame: Uint8Array; kind: ReturnType<typeof readQuestion> }[] = [
    { id: 'ours', frame: QUESTION_FRAME, kind: 'question' },
    { id: 'without a version', frame: new Uint8Array(0), kind: 'question' },
    { id: 'of a later version', frame: unhex('0807 9a0600'), kind: 'question' },
    { id: 'with an address', frame: unhex('0801 1209 0a04cb007107 10a846'), kind: 'unsolicited' },
    { id: 'with an empty address', frame: unhex('1200'), kind: 'unsolicited' },
    { id: 'with something where addresses are', frame: unhex('1203 ffffff'), kind: 'unsolicited' },
    { id: 'that is a whole answer', frame: frameOf(entries(50)), kind: 'unsolicited' },
    { id: 'with a number where addresses are', frame: unhex('1001'), kind: 'malformed' },
    { id: 'that is cut', frame: unhex('08'), kind: 'malformed' },
    { id: 'that is too long', frame: new Uint8Array(QUESTION_MAX_BYTES + 1), kind: 'malformed' },
    { id: 'that is longer than any address', frame: frameOf(entries(100)), kind: 'malformed' },
  ]
  for (const { id, frame, kind } of frames) {
    it(`${id} is: ${kind}`, () => assert.equal(readQuestion(frame), kind))
  }

  it('belongs to the protocol of its network', () => {
    assert.equal(exchangeProtocol('demo'), '/floodgate/demo/pex/1')
  })
})

describe('an answer', () => {
  it('is read as it was made', () => {
    const told = [
      { endpoint: '203.0.113.7:9000', lastSuccessS: 1_700_000_400 },
      { endpoint: '[2001:db8::1]:1', lastSuccessS: 0 },
    ]
    assert.deepEqual(readAnswer(ready(told, 600)), { value: { told, retryAfterS: 600 } })
  })

  it('fits its frame at its fullest, with room for later fields', () => {
    const told = Array.from({ length: ANSWER_MAX }, (_, index) => ({
      endpoint: `[2001:db8:1111:2222:3333:4444:5555:${(0x1000 + index).toString(16)}]:65535`,
      lastSuccessS: 2 ** 43 - 1,
    }))
    const frame = ready(told, 86_400)
    assert.ok(frame.byteLength < ANSWER_MAX_BYTES * 0.6, `${frame.byteLength} bytes`)
    assert.equal(readAnswer(frame).value?.told.length, ANSWER_MAX)
  })

  it('is read whatever the endpoints', () => {
    const ip = fc.oneof(fc.ipV4(), fc.ipV6())
    const endpoint = fc
      .tuple(ip, fc.integer({ min: 1, max: 65_535 }))
      .map(([ip, port]) => endpointFrom(ip, port))
    const told = fc.array(
      fc.record({ endpoint, lastSuccessS: fc.nat({ max: 2 ** 31 - 1 }) }, { noNullPrototype: true }),
      { maxLength: 20 },
    )
    const property = fc.property(told, told => {
      const known = told.flatMap(({ endpoint, lastSuccessS }) =>
        endpoint === undefined ? [] : [{ endpoint, lastSuccessS }],
      )
      assert.deepEqual(readAnswer(ready(known, 10)).value?.told, known)
    })
    fc.assert(property, { numRuns: 1_000 })
  })

  const entry = { ip: Uint8Array.of(8, 8, 8, 8), port: 9_000, lastSuccessS: 1 }
  const refused: { id: string; frame: Uint8Array; problem: RegExp; isExcess?: boolean }[] = [
    { id: '251 entries', frame: frameOf(entries(251)), problem: /^entries: more than 250$/, isExcess: true },
    { id: '1,500 empty entries', frame: unhex('1200'.repeat(1_500)), problem: /^entries: ip: is missing$/ },
    {
      id: 'an IP address of 3 bytes',
      frame: frameOf([{ ...entry, ip: new Uint8Array(3) }]),
      problem: /ip: 3 bytes/,
    },
    {
      id: 'an IP address of 17 bytes',
      frame: frameOf([{ ...entry, ip: new Uint8Array(17) }]),
      problem: /ip: 17 bytes/,
    },
    { id: 'a port of 17 bits', frame: frameOf([{ ...entry, port: 65_536 }]), problem: /port: 65536/ },
    {
      id: 'a time past all times',
      frame: frameOf([{ ...entry, lastSuccessS: 2 ** 43 }]),
      problem: /lastSuccessS: 8796093022208/,
    },
    { id: 'a pause of more than a day', frame: frameOf([], 86_401), problem: /^retryAfterS: 86401/ },
    {
      id: 'too many bytes',
      frame: new Uint8Array(ANSWER_MAX_BYTES + 1),
      problem: /16385 bytes are more than 16384/,
    },
    { id: 'half an entry', frame: frameOf([entry]).subarray(0, 6), problem: /^entries: ends too soon$/ },
  ]
  for (const { id, frame, problem, isExcess = false } of refused) {
    it(`is refused with ${id}`, () => {
      const decoded = readAnswer(frame)
      assert.match(decoded.problem ?? '', problem)
      assert.equal(decoded.problem !== undefined && decoded.isExcess, isExcess)
    })
  }

  it('has no endpoint where there can be none', () => {
    const bad = [
      { ...entry, port: 0 },
      { ...entry, ip: new Uint8Array(5) },
      { ...entry, ip: new Uint8Array(15) },
    ]
    const { value } = readAnswer(frameOf(bad))
    assert.deepEqual(
      value?.told.map(({ endpoint }) => endpoint),
      [undefined, undefined, undefined],
    )
  })
})
