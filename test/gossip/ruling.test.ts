import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageId, messageKey } from '../../src/core/hash.ts'
import { failed, isPromise, quickRulingOf, rulingOf } from '../../src/gossip/ruling.ts'

const cyclic: { self?: unknown } = {}
cyclic.self = cyclic

const A = messageId('tx', Uint8Array.of(1))
const B = messageId('tx', Uint8Array.of(2))

const bare = Object.create(null)

describe('the ruling of an answer', () => {
  const verdicts: [answer: unknown, verdict: string][] = [
    ['accept', 'accept'],
    [true, 'accept'],
    ['ignore', 'ignore'],
    ['reject', 'reject'],
    [false, 'reject'],
  ]
  for (const [answer, verdict] of verdicts) {
    it(`is ${verdict} for ${JSON.stringify(answer)}, without a complaint`, () => {
      assert.deepEqual(rulingOf(answer), { verdict, reason: 'handler' })
    })
  }

  it('is ignore for a hold, with the keys of what it waits for', () => {
    assert.deepEqual(rulingOf({ hold: [A, B] }), {
      verdict: 'ignore',
      reason: 'hold',
      hold: [messageKey(A), messageKey(B)],
    })
    assert.deepEqual(rulingOf({ hold: [] }), { verdict: 'ignore', reason: 'hold', hold: [] })
  })

  const others: [id: string, answer: unknown, shown: RegExp][] = [
    ['nothing', undefined, /the answer undefined is no verdict/],
    ['null', null, /the answer null/],
    ['another word', 'ACCEPT', /the answer 'ACCEPT'/],
    ['a number', 1, /the answer 1 /],
    ['an integer without bound', 10n, /the answer 10n/],
    ['a cyclic object', cyclic, /Circular/],
    ['an object without a prototype', bare, /null prototype/],
    ['a hold that is no list', { hold: 'id' }, /hold: 'id'/],
    ['a hold for a text', { hold: [A, 'id'] }, /hold: 'id' is no message id/],
    [
      'a hold for bytes of another length',
      { hold: [A.subarray(1)] },
      /hold: Uint8Array\(19\) .* is no message id/s,
    ],
    ['a hold for nothing', { hold: [undefined] }, /hold: undefined is no message id/],
    ['a function', () => true, /Function/],
    ['a symbol', Symbol('accept'), /Symbol\(accept\)/],
  ]
  for (const [id, answer, shown] of others) {
    it(`is ignore for ${id}, and says what came`, () => {
      const { verdict, reason, complaint } = rulingOf(answer)
      assert.deepEqual([verdict, reason], ['ignore', 'threw'])
      assert.match(complaint?.error ?? '', shown)
    })
  }
})

describe('the ruling of a quick answer', () => {
  it('is the same for verdicts', () => {
    for (const answer of ['accept', true, 'ignore', 'reject', false])
      assert.deepEqual(quickRulingOf(answer), rulingOf(answer))
  })

  it('is ignore for a hold, and says what came: nothing may pass because it has waited', () => {
    const { verdict, reason, hold, complaint } = quickRulingOf({ hold: [] })
    assert.deepEqual([verdict, reason, hold], ['ignore', 'threw', undefined])
    assert.match(complaint?.error ?? '', /the answer \{ hold: \[\] \} is no quick verdict/)
  })
})

describe('the ruling of a failure', () => {
  const thrown: [id: string, error: unknown, shown: RegExp][] = [
    ['an error', new RangeError('too deep'), /RangeError: too deep\n +at /],
    ['an error without a stack', Object.assign(new Error('no stack'), { stack: undefined }), /^no stack$/],
    ['a text', 'oops', /oops/],
    ['nothing', undefined, /undefined/],
    ['an object without a prototype', bare, /null prototype/],
  ]
  for (const [id, error, shown] of thrown) {
    it(`is ignore for ${id}, with all that is known`, () => {
      const { verdict, reason, complaint } = failed(error)
      assert.deepEqual([verdict, reason], ['ignore', 'threw'])
      assert.match(complaint?.error ?? '', shown)
    })
  }
})

describe('a promise', () => {
  const answers: [id: string, answer: unknown, expected: boolean][] = [
    ['a promise', Promise.resolve(), true],
    // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are just this.
    ['a promise of another library', { then: () => {} }, true],
    ['a verdict', 'accept', false],
    ['nothing', undefined, false],
    ['null', null, false],
  ]
  for (const [id, answer, expected] of answers) {
    it(`${expected ? 'is' : 'is not'} ${id}`, () => assert.equal(isPromise(answer), expected))
  }
})
