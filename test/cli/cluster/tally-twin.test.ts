import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type SentEvent,
  Tally,
  type TallyEvent,
  type Totals,
  type VerdictEvent,
} from '../../../src/cli/cluster/tally.ts'

/** The rules of the tally's header, read off a list of everything that was sent, with no thought of speed. */
class NaiveTally {
  readonly #others: number
  readonly #trackedMax: number
  readonly #messages: { event: SentEvent; verdicts: VerdictEvent[]; gone: boolean }[] = []
  #early: VerdictEvent[] = []
  duplicates = 0

  constructor(nodes: number, trackedMax: number) {
    this.#others = nodes - 1
    this.#trackedMax = trackedMax
  }

  handle(event: TallyEvent): void {
    const known = this.#messages.findLast(
      message => message.event.id === event.id && !message.gone && !this.#isDone(message),
    )
    if (event.type === 'sent') {
      if (known !== undefined) this.duplicates += 1
      else this.#send(event)
    } else if (known === undefined) this.#early.push(event)
    else known.verdicts.push(event)
  }

  #send(event: SentEvent): void {
    this.#messages.push({ event, verdicts: [], gone: false })
    const isSpoilt = event.expect === 'reject'
    const tracked = this.#messages.filter(
      message => (message.event.expect === 'reject') === isSpoilt && !message.gone && !this.#isDone(message),
    )
    if (tracked.length > this.#trackedMax && tracked[0] !== undefined) tracked[0].gone = true
    const early = this.#early.filter(({ id }) => id === event.id)
    this.#early = this.#early.filter(({ id }) => id !== event.id)
    for (const verdictEvent of early) this.handle(verdictEvent)
  }

  #reached({ event, verdicts }: { event: SentEvent; verdicts: VerdictEvent[] }): Set<number> {
    return new Set(
      verdicts.filter(each => each.verdict === 'accept' && each.node !== event.node).map(({ node }) => node),
    )
  }

  #isDone(message: { event: SentEvent; verdicts: VerdictEvent[] }): boolean {
    return message.event.expect !== 'reject' && this.#reached(message).size === this.#others
  }

  totals(): Totals {
    const all = this.#messages.map(message => {
      const rejects = message.verdicts.filter(each => each.verdict === 'reject')
      const reached = this.#reached(message).size
      const isRefused = message.event.expect === 'judged' && rejects.length > 0 && reached === 0
      return { ...message, rejects, reached, isRefused }
    })
    const normal = all.filter(({ event }) => event.expect !== 'reject')
    const spoilt = all.filter(({ event }) => event.expect === 'reject')
    const counted = normal.filter(message => !message.isRefused && !message.gone)
    const beyond = (event: SentEvent) => (each: VerdictEvent) =>
      each.verdict === 'accept' || each.from !== event.node
    const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)
    return {
      messages: counted.length,
      deliveries: sum(counted.map(({ reached }) => reached)),
      payloadBytes: sum(counted.map(({ event }) => event.sizeBytes)),
      refused: normal.filter(({ isRefused }) => isRefused).length,
      rejected: all.filter(({ rejects }) => rejects.length > 0).length,
      ignored: sum(all.map(({ verdicts }) => verdicts.filter(each => each.verdict === 'ignore').length)),
      spoilt: {
        sent: spoilt.length,
        rejectedBy: sum(spoilt.map(({ rejects }) => rejects.length)),
        beyondFirstHop: sum(spoilt.map(({ event, verdicts }) => verdicts.filter(beyond(event)).length)),
        delivered: sum(
          spoilt.map(({ verdicts }) => verdicts.filter(each => each.verdict === 'accept').length),
        ),
        unjudged: spoilt.filter(({ verdicts }) => verdicts.length === 0).length,
      },
      duplicates: this.duplicates,
      untracked: normal.filter(({ gone, isRefused }) => gone && !isRefused).length,
      unmatched: 0,
    }
  }
}

describe('Tally beside its naive twin', () => {
  const NODES = 4
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  const node = fc.nat(NODES - 1)
  const anySent: fc.Arbitrary<TallyEvent> = fc.record({
    type: fc.constant('sent' as const),
    id,
    node,
    atUs: fc.nat(1_000),
    sizeBytes: fc.integer({ min: 1, max: 1_000 }),
    expect: fc.constantFrom('accept' as const, 'judged' as const, 'reject' as const),
  })
  const anyVerdict: fc.Arbitrary<TallyEvent> = fc.record({
    type: fc.constant('verdict' as const),
    id,
    node,
    atUs: fc.nat(2_000),
    from: fc.integer({ min: -1, max: NODES - 1 }),
    verdict: fc.constantFrom('accept' as const, 'accept' as const, 'ignore' as const, 'reject' as const),
  })
  const events = fc.array(fc.oneof({ weight: 1, arbitrary: anySent }, { weight: 4, arbitrary: anyVerdict }), {
    maxLength: 120,
  })

  it('says the same after every event', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 4 }), (all, trackedMax) => {
        const tally = new Tally(NODES, { trackedMax })
        const twin = new NaiveTally(NODES, trackedMax)
        for (const event of all) {
          tally.handle(event)
          twin.handle(event)
          assert.deepEqual(tally.totals(), twin.totals())
        }
      }),
      { numRuns: 500 },
    )
  })

  it('keeps its bounds, and loses no verdict without counting it', () => {
    fc.assert(
      fc.property(
        fc.array(anyVerdict, { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        (all, earlyMax) => {
          const tally = new Tally(NODES, { earlyMax })
          for (const event of all) tally.handle(event)
          assert.equal(tally.totals().unmatched, Math.max(0, all.length - earlyMax))
        },
      ),
    )
  })
})
