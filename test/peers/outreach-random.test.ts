/**
 * Outreach under random orders of what can become of a dial: its report, its connection, its handshake, their ends, and
 * whatever else is connected meanwhile. Beside it stands, for each dial, the list of what has happened to it, from which
 * its result is worked out anew each time.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Endpoint, endpointOf } from '../../src/core/endpoint.ts'
import type { PeerId } from '../../src/core/types.ts'
import { type FakeDial, settleMicrotasks } from '../fixtures/fakes.ts'
import { denied, OutreachStage, UNREACHABLE } from './outreach-setup.ts'
import { forRandomRuns } from './random-async.ts'

const ENDPOINTS = Array.from({ length: 9 }, (_, n) => `60.${n}.0.1:9000`)

type Happening =
  | { readonly type: 'connected' | 'useless' | 'lost' | 'reported'; readonly peer: PeerId }
  | { readonly type: 'greeted'; readonly peer: PeerId; readonly isManual: boolean }
  | { readonly type: 'refused' | 'failed' }

type Result = 'greeted' | 'refused' | 'failed'

interface Story {
  readonly endpoint: Endpoint
  readonly dial: FakeDial
  isReported: boolean
  readonly happenings: Happening[]
}

/** The rules: what a dial comes to; undefined while that is open. */
function resultOf(happenings: readonly Happening[]): Result | undefined {
  let reached: PeerId | undefined
  for (const happening of happenings) {
    switch (happening.type) {
      case 'connected':
        reached = happening.peer
        break
      case 'greeted':
        return happening.peer === reached && !happening.isManual ? 'greeted' : 'refused'
      case 'useless':
      case 'lost':
        if (happening.peer === reached) return 'refused'
        break
      case 'reported':
        if (happening.peer !== reached) return 'refused'
        break
      default:
        return happening.type
    }
  }
  return undefined
}

const step = fc.record({
  what: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom('connect', 'greet', 'report', 'tick') },
    { weight: 3, arbitrary: fc.constantFrom('fail', 'refuse', 'lose') },
    { weight: 1, arbitrary: fc.constantFrom('useless', 'come', 'want') },
  ),
  /** Which of the dials, or of the peers, counted from the last. */
  which: fc.constantFrom(0, 0, 0, 1, 2, 5),
  /** Who is at an endpoint: somebody of its own, as a rule. */
  who: fc.constantFrom('own', 'own', 'own', 'own', 'own', 'own', 'P', 'Q'),
  isManual: fc.constantFrom(false, false, false, false, false, true),
  waitMs: fc.constantFrom(0, 100, 5_000, 10_000),
  /** Whether promises are heard of before the next step. */
  isSettled: fc.constantFrom(true, true, false),
})

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

class Run {
  readonly stage: OutreachStage
  readonly stories: Story[] = []
  /** What becomes known when promises are heard of. */
  #reports: (() => void)[] = []

  constructor(target: number, anchors: number) {
    const options = { target, anchors, feelerPeriodMs: 5_000, rotationMinMs: 2_000, rotationMaxMs: 4_000 }
    const [endpoint = ''] = ENDPOINTS
    this.stage = new OutreachStage({
      options,
      anchors: [{ endpoint, peer: `R${endpoint}`, trials: 0 }],
      known: ENDPOINTS,
    })
  }

  take(step: Step): void {
    this.#do(step)
    this.#notice()
  }

  async settle(): Promise<void> {
    await settleMicrotasks()
    for (const report of this.#reports.splice(0)) report()
    this.#notice()
    this.stage.outreach.check()
    const results = this.stories.map(({ happenings }) => resultOf(happenings))
    const open = results.filter(result => result === undefined).length
    assert.equal(this.stage.outreach.counts.dialling, open)
    assert.deepEqual(this.#counted(), this.#tally(results))
    assert.deepEqual(this.stage.heardResults(), this.stage.results())
  }

  /** Everything ends. */
  async end(): Promise<void> {
    this.stage.unwelcome = () => true
    for (const { peer } of [...this.stage.roster]) this.#lose(peer)
    for (const story of this.stories)
      this.#report(story, { type: 'failed' }, () => story.dial.fail(UNREACHABLE))
    await this.settle()
    const { dialling, established } = this.stage.outreach.counts
    assert.deepEqual([dialling, established], [0, 0])
  }

  #do({ what, which, who, isManual, waitMs }: Step): void {
    const { stage } = this
    const story = this.stories.at(-1 - (which % Math.max(1, this.stories.length)))
    const peer = who === 'own' ? `R${story?.endpoint}` : who
    switch (what) {
      case 'tick':
        stage.clock.advance(waitMs)
        stage.outreach.tick()
        return
      case 'come':
        stage.connect(peer, '61.0.0.1:777', 'inbound')
        return
      case 'connect':
        if (story !== undefined && stage.connect(peer, story.endpoint) !== undefined)
          this.#note(story.endpoint, { type: 'connected', peer })
        return
      case 'report':
        if (story !== undefined)
          this.#report(story, { type: 'reported', peer }, () => story.dial.resolve(peer))
        return
      case 'fail':
        if (story !== undefined) this.#report(story, { type: 'failed' }, () => story.dial.fail(UNREACHABLE))
        return
      case 'refuse':
        if (story !== undefined)
          this.#report(story, { type: 'refused' }, () => story.dial.fail(denied('duplicate', peer)))
        return
      default:
        return this.#doWithPeer(what, which, isManual)
    }
  }

  #doWithPeer(what: 'greet' | 'useless' | 'want' | 'lose', which: number, isManual: boolean): void {
    const { stage } = this
    const members = [...stage.roster]
    const here =
      what === 'lose'
        ? members
        : members.filter(
            ({ leaving, handshake }) =>
              leaving === undefined && (what !== 'greet' || handshake === 'pending'),
          )
    const member = here.at(-1 - (which % Math.max(1, here.length)))
    if (member === undefined) return
    const { peer, endpoint } = member
    if (what === 'lose') return this.#lose(peer)
    if (what === 'want') return stage.outreach.manual(peer)
    // As it happens: what is noted first is judged first.
    if (endpoint !== undefined)
      this.#note(endpoint, what === 'greet' ? { type: 'greeted', peer, isManual } : { type: what, peer })
    if (what === 'greet') stage.greet(peer, { isManual })
    else stage.leave(peer, 'plain')
  }

  #lose(peer: PeerId): void {
    const endpoint = this.stage.roster.get(peer)?.endpoint
    if (endpoint !== undefined) this.#note(endpoint, { type: 'lost', peer })
    this.stage.lose(peer)
  }

  #report(story: Story, happening: Happening, end: () => void): void {
    if (story.isReported) return
    story.isReported = true
    end()
    this.#reports.push(() => story.happenings.push(happening))
  }

  /** Something has happened at an endpoint: to its last dial. */
  #note(endpoint: Endpoint, happening: Happening): void {
    this.stories.findLast(story => story.endpoint === endpoint)?.happenings.push(happening)
  }

  /** Dials that have begun. */
  #notice(): void {
    for (const dial of this.stage.host.dials.slice(this.stories.length)) {
      const endpoint = endpointOf(dial.address)
      assert.ok(endpoint !== undefined)
      this.stories.push({ endpoint, dial, isReported: false, happenings: [] })
    }
  }

  #counted(): Record<Result, number> {
    const sums = { greeted: 0, refused: 0, failed: 0 }
    for (const [series, count] of Object.entries(this.stage.results()))
      sums[series.split(' ')[1] as Result] += count
    return sums
  }

  #tally(results: readonly (Result | undefined)[]): Record<Result, number> {
    const sums = { greeted: 0, refused: 0, failed: 0 }
    for (const result of results) if (result !== undefined) sums[result]++
    return sums
  }
}

describe('outreach under random events', () => {
  it('answers every dial once, and with what has become of it', async () => {
    const totals: Record<string, number> = {}
    const course = fc.record({
      target: fc.integer({ min: 1, max: 3 }),
      anchors: fc.integer({ min: 0, max: 1 }),
      steps: fc.array(step, { maxLength: 120, size: 'max' }),
    })
    await forRandomRuns(course, { runs: 150 }, async ({ target, anchors, steps }) => {
      const run = new Run(target, anchors)
      for (const each of steps) {
        run.take(each)
        if (each.isSettled) await run.settle()
      }
      await run.settle()
      for (const [series, count] of Object.entries(run.stage.results())) {
        totals[series] = (totals[series] ?? 0) + count
      }
      await run.end()
    })
    for (const word of ['outbound', 'anchor', 'rotation', 'feeler', 'greeted', 'refused', 'failed']) {
      const counts = Object.entries(totals).filter(([series]) => series.split(' ').includes(word))
      const sum = counts.reduce((all, [, count]) => all + count, 0)
      assert.ok(sum > 5, `${word}: ${JSON.stringify(totals)}`)
    }
  })
})
