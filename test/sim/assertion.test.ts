import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Assertion,
  assertionText,
  holds,
  MEASURES,
  type Measure,
  parseAssertion,
  shownValue,
} from '../../src/sim/assertion.ts'

describe('parseAssertion', () => {
  const right: [text: string, assertion: Assertion][] = [
    ['coverage >= 0.999', { measure: 'coverage', names: [], relation: '>=', bound: 0.999 }],
    ['coverage(blocks) == 100%', { measure: 'coverage', names: ['blocks'], relation: '==', bound: 1 }],
    ['p99(tx, healed)<=2s', { measure: 'p99', names: ['tx', 'healed'], relation: '<=', bound: 2_000 }],
    ['  p50 ( a/b.c-1 )  <  500ms ', { measure: 'p50', names: ['a/b.c-1'], relation: '<', bound: 500 }],
    ['bytesPerNode > 64KiB', { measure: 'bytesPerNode', names: [], relation: '>', bound: 65_536 }],
    ['outbound(n17) >= 2', { measure: 'outbound', names: ['n17'], relation: '>=', bound: 2 }],
    ['mergedAfterHeal <= 1m', { measure: 'mergedAfterHeal', names: [], relation: '<=', bound: 60_000 }],
  ]
  for (const [text, expected] of right) {
    it(`reads ${text}`, () => assert.deepEqual(parseAssertion(text), expected))
  }

  const wrong: [text: string, problem: RegExp][] = [
    ['', /is no assertion/],
    ['coverage', /is no assertion/],
    ['coverage = 1', /is no assertion/],
    ['coverage(a >= 1', /is no assertion/],
    ['coverage((a)) >= 1', /is no assertion/],
    ['cover >= 1', /no measure called cover, expected one of coverage, p50,/],
    ['toString >= 1', /no measure called toString/],
    ['coverage() >= 1', /empty name/],
    ['coverage(a,) >= 1', /empty name/],
    ['p99 <= 2', /compares with 2, expected a duration/],
    ['p99 <= -2s', /expected a duration/],
    ['bytesPerNode <= 2s', /expected a size/],
    ['coverage >= 1s', /expected a number/],
    ['coverage >= 1 2', /expected a number/],
  ]
  for (const [text, problem] of wrong) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const result = parseAssertion(text)
      assert.ok(typeof result === 'string', JSON.stringify(result))
      assert.match(result, problem)
    })
  }

  it('reads every assertion from its own text', () => {
    const assertion = fc.record(
      {
        measure: fc.constantFrom(...(Object.keys(MEASURES) as Measure[])),
        names: fc.array(fc.stringMatching(/^[a-z][\w./-]{0,9}$/), { maxLength: 3 }),
        relation: fc.constantFrom('>=', '<=', '>', '<', '=='),
        bound: fc.nat(),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(assertion, it => assert.deepEqual(parseAssertion(assertionText(it as Assertion)), it)),
    )
  })

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), text => ['string', 'object'].includes(typeof parseAssertion(text))))
  })
})

describe('holds', () => {
  const cases: [text: string, below: boolean, at: boolean, above: boolean][] = [
    ['connections >= 5', false, true, true],
    ['connections > 5', false, false, true],
    ['connections <= 5', true, true, false],
    ['connections < 5', true, false, false],
    ['connections == 5', false, true, false],
  ]
  for (const [text, below, at, above] of cases) {
    it(text, () => {
      const assertion = parseAssertion(text)
      assert.ok(typeof assertion !== 'string')
      assert.deepEqual(
        [4, 5, 6].map(value => holds(assertion, value)),
        [below, at, above],
      )
      assert.equal(holds(assertion, undefined), false, 'nothing to measure holds nothing')
    })
  }
})

it('shows values with their units', () => {
  assert.deepEqual(
    [
      shownValue('p99', 1_234),
      shownValue('mergedAfterHeal', Number.POSITIVE_INFINITY),
      shownValue('bytesPerNode', 1_500),
      shownValue('coverage', 0.99987654321),
      shownValue('coverage', undefined),
    ],
    ['1.23 s', 'never', '1.50 kB', '0.999877', 'nothing'],
  )
})
