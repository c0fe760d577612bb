import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type GreetingEvent, Greetings } from '../../src/peers/greeting.ts'
import type { Hello } from '../../src/peers/hello.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { briefly, GreetingTwin, HELLO, OPTIONS } from './greeting-twin.ts'

describe('greetings beside their twin', () => {
  const peers = ['P', 'Q', 'US']
  const peer = fc.constantFrom(...peers)
  const changed = fc.constantFrom<Partial<Hello>>(
    {},
    {},
    {},
    { network: 'other' },
    { versions: [2] },
    { nonce: OPTIONS.nonce },
  )
  const protocols = fc.subarray([
    '/meshsub/1.2.0',
    '/floodgate/demo/hello/1',
    '/floodgate/demo/hello/2',
    '/floodgate/demo/pex/1',
    '/floodgate/other/hello/1',
  ])
  const direction = fc.constantFrom('inbound' as const, 'outbound' as const)
  const theirs = changed.map(fields => ({ ...HELLO, ...fields }))
  const one = <T extends string>(type: T): fc.Arbitrary<{ type: T; peer: string }> =>
    fc.record({ type: fc.constant(type), peer })
  const step: fc.Arbitrary<{ waitMs: number; event: GreetingEvent }> = fc.record({
    waitMs: fc.constantFrom(0, 0, 1, 100, 2_500, 5_000),
    event: fc.oneof(
      { weight: 4, arbitrary: fc.record({ type: fc.constant('connected' as const), peer, direction }) },
      {
        weight: 5,
        arbitrary: fc.record({
          type: fc.constant('hello' as const),
          peer,
          hello: theirs,
          isAnswer: fc.boolean(),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ type: fc.constant('malformed' as const), peer, detail: fc.constant('bad') }),
      },
      { weight: 1, arbitrary: one('unsupported') },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('identified' as const), peer, protocols }) },
      { weight: 2, arbitrary: one('closed') },
      { weight: 2, arbitrary: fc.record({ type: fc.constant('tick' as const) }) },
    ),
  })

  for (const interop of [true, false]) {
    it(`agree, with interop ${interop}`, () => {
      const kinds = new Map<string, number>()
      forRandomEvents(step, { runs: 300, most: 150 }, steps => {
        const greetings = new Greetings({ ...OPTIONS, interop })
        const twin = new GreetingTwin({ ...OPTIONS, interop })
        let nowMs = 0
        for (const { waitMs, event } of steps) {
          nowMs += waitMs
          const actions = greetings.handle(event, nowMs).map(briefly)
          greetings.check()
          assert.deepEqual(
            actions.toSorted(),
            twin.handle(event, nowMs).toSorted(),
            `at ${nowMs}: ${event.type}`,
          )
          for (const other of peers) assert.equal(greetings.stateOf(other), twin.stateOf(other))
          for (const action of actions) {
            const kind = action.replace(/ (P|Q|US)/, '')
            kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
          }
        }
      })
      const expected = ['greet', 'greeted', 'offence', 'estranged', interop ? 'plain' : 'drop plain']
      const drops = ['self', 'network', 'version', 'handshake'].map(reason => `drop ${reason}`)
      for (const kind of [...expected, ...drops]) assert.ok((kinds.get(kind) ?? 0) > 50, `${kind} is rare`)
    })
  }
})
