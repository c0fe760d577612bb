import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TallyEvent } from '../../../src/cli/cluster/tally.ts'
import { Trace, type TransferEvent } from '../../../src/cli/cluster/trace.ts'

const sent = (id: string, sizeBytes = 100, atUs = 0): TallyEvent => ({
  type: 'sent',
  id,
  node: 0,
  atUs,
  sizeBytes,
  expect: 'accept',
})
const part = (id: string, node: number, index = 0, count = 1): TransferEvent => ({
  type: 'transfer',
  id,
  node,
  from: 0,
  index,
  count,
  atUs: 5,
})
const verdict = (id: string, node: number, verdict: 'accept' | 'reject' = 'accept'): TallyEvent => ({
  type: 'verdict',
  id,
  node,
  atUs: 7,
  from: 2,
  verdict,
})

function traceOf(events: readonly (TallyEvent | TransferEvent)[], partsMax?: number): Trace {
  const trace = new Trace(partsMax)
  for (const event of events) trace.handle(event)
  return trace
}

describe('Trace', () => {
  const choices: [string, (TallyEvent | TransferEvent)[], string | undefined][] = [
    ['nothing was sent', [], undefined],
    ['what nobody has reported as sent', [part('a', 1), verdict('a', 1)], undefined],
    ['the largest', [sent('a', 5), sent('b', 9), sent('c', 7)], 'b'],
    ['of equals the one that reached most', [sent('a'), sent('b'), verdict('a', 1)], 'a'],
    ['of equals the last', [sent('a', 5, 10), sent('b', 5, 20), sent('c', 5, 15)], 'b'],
    ['what was sent twice counts with its first', [sent('a', 5), sent('a', 9), sent('b', 7)], 'b'],
    ['a reject reaches nobody', [sent('a'), sent('b', 100, -1), verdict('b', 1, 'reject')], 'a'],
  ]
  for (const [what, events, id] of choices) {
    it(`chooses: ${what}`, () => assert.equal(traceOf(events).chosen()?.id, id))
  }

  it('knows the parts of those who report them, and takes the verdict of the others for all parts', () => {
    const trace = traceOf([
      part('a', 1, 0, 2),
      verdict('a', 1),
      sent('a'),
      part('a', 1, 1, 2),
      verdict('a', 3),
    ])
    assert.deepEqual(trace.chosen(), {
      id: 'a',
      sent: { node: 0, atUs: 0, sizeBytes: 100 },
      count: 2,
      parts: [
        { node: 1, from: 0, index: 0, atUs: 5 },
        { node: 1, from: 0, index: 1, atUs: 5 },
        { node: 3, from: 2, index: 0, atUs: 7 },
        { node: 3, from: 2, index: 1, atUs: 7 },
      ],
    })
  })

  it('forgets the oldest that it would not show, and then takes nothing more in', () => {
    const large = [sent('large', 900), part('large', 1), part('large', 2)]
    const trace = traceOf([...large, sent('a'), part('a', 1), part('b', 1)], 4)
    assert.equal(trace.size, 4)
    trace.handle(part('c', 1))
    assert.equal(trace.size, 4)
    for (let node = 3; node < 10; node += 1) trace.handle(part('large', node))
    assert.equal(trace.size, 4)
    assert.equal(trace.chosen()?.parts.length, 4)
  })
})
