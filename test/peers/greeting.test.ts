import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GREETINGS_MAX, type GreetingEvent, Greetings } from '../../src/peers/greeting.ts'
import type { Hello } from '../../src/peers/hello.ts'
import { briefly, HELLO, OPTIONS } from './greeting-twin.ts'

const inbound = (peer = 'P'): GreetingEvent => ({ type: 'connected', peer, direction: 'inbound' })
const outbound = (peer = 'P'): GreetingEvent => ({ type: 'connected', peer, direction: 'outbound' })
const hello = (changed: Partial<Hello> = {}, peer = 'P'): GreetingEvent => ({
  type: 'hello',
  peer,
  hello: { ...HELLO, ...changed },
  isAnswer: false,
})
const answer = (changed: Partial<Hello> = {}, peer = 'P'): GreetingEvent => ({
  type: 'hello',
  peer,
  hello: { ...HELLO, ...changed },
  isAnswer: true,
})
const malformed: GreetingEvent = { type: 'malformed', peer: 'P', detail: 'nonce: is missing' }
const unsupported: GreetingEvent = { type: 'unsupported', peer: 'P' }
const identified = (...protocols: string[]): GreetingEvent => ({ type: 'identified', peer: 'P', protocols })
const closed: GreetingEvent = { type: 'closed', peer: 'P' }
const tick: GreetingEvent = { type: 'tick' }

type Step = [atMs: number, event: GreetingEvent, ...actions: string[]]

const cases: { id: string; interop?: boolean; steps: Step[]; state?: string }[] = [
  {
    id: 'greets whom we have dialled, at once, and is done with the answer',
    steps: [
      [0, outbound(), 'greet P'],
      [10, answer(), 'greeted P'],
      [5_000, tick],
    ],
    state: 'done',
  },
  {
    id: 'waits for the hello of whoever has dialled us',
    steps: [
      [0, inbound()],
      [10, hello(), 'greeted P'],
      [5_000, tick],
    ],
    state: 'done',
  },
  {
    id: 'sends away who has not shaken hands five seconds after the connection, once',
    steps: [
      [0, inbound()],
      [4_999, tick],
      [5_000, tick, 'drop P handshake'],
      [5_001, tick],
      [5_002, hello()],
      [5_003, malformed, 'offence P'],
    ],
    state: 'leaving',
  },
  {
    id: 'the same for one that we have dialled',
    steps: [
      [0, outbound(), 'greet P'],
      [5_000, tick, 'drop P handshake'],
    ],
    state: 'leaving',
  },
  {
    id: 'forgets whoever leaves',
    steps: [
      [0, inbound()],
      [1, closed],
      [5_000, tick],
      [6_000, inbound()],
      [6_001, hello(), 'greeted P'],
    ],
    state: 'done',
  },
  {
    id: 'blames a second hello on one connection',
    steps: [
      [0, inbound()],
      [1, hello(), 'greeted P'],
      [2, hello(), 'offence P'],
      [3, hello({ network: 'other' }), 'offence P'],
    ],
    state: 'done',
  },
  {
    id: 'blames nobody for a second connection, nor for an answer beside a hello',
    steps: [
      [0, outbound(), 'greet P'],
      [1, hello(), 'greeted P'],
      [2, answer()],
      [3, inbound()],
      [4, hello()],
      [5, hello(), 'offence P'],
    ],
    state: 'done',
  },
  {
    id: 'greets again on a second connection of ours: the other side may be another process by now',
    steps: [
      [0, outbound(), 'greet P'],
      [1, answer(), 'greeted P'],
      [2, outbound(), 'greet P'],
      [3, answer()],
    ],
    state: 'done',
  },
  {
    id: 'believes what a later hello says against the peer',
    steps: [
      [0, inbound()],
      [1, hello(), 'greeted P'],
      [2, inbound()],
      [3, hello({ network: 'other' }), 'estranged P', 'drop P network'],
    ],
    state: 'leaving',
  },
  {
    id: 'another network, in the hello',
    steps: [
      [0, inbound()],
      [1, hello({ network: 'other' }), 'estranged P', 'drop P network'],
    ],
    state: 'leaving',
  },
  {
    id: 'no version in common',
    steps: [
      [0, outbound(), 'greet P'],
      [1, answer({ versions: [2, 3] }), 'drop P version'],
    ],
    state: 'leaving',
  },
  {
    id: 'no versions at all',
    steps: [
      [0, outbound(), 'greet P'],
      [1, answer({ versions: [] }), 'drop P version'],
    ],
    state: 'leaving',
  },
  {
    id: 'ourselves, by the nonce',
    steps: [
      [0, outbound(), 'greet P'],
      [1, answer({ nonce: OPTIONS.nonce, network: 'other', versions: [] }), 'drop P self'],
    ],
    state: 'leaving',
  },
  {
    id: 'a hello that does not decode',
    steps: [
      [0, inbound()],
      [1, malformed, 'offence P', 'drop P handshake'],
      [2, malformed, 'offence P'],
    ],
    state: 'leaving',
  },
  {
    id: 'one that does not decode after the handshake is blamed, no more',
    steps: [
      [0, inbound()],
      [1, hello(), 'greeted P'],
      [2, malformed, 'offence P'],
    ],
    state: 'done',
  },
  {
    id: 'one that does not decode before its connection is known',
    steps: [[0, malformed, 'offence P', 'drop P handshake']],
  },
  {
    id: 'a gossip peer without our protocols',
    steps: [
      [0, inbound()],
      [1, identified('/meshsub/1.2.0', '/ipfs/id/1.0.0'), 'plain P'],
      [5_000, tick],
    ],
    state: 'plain',
  },
  {
    id: 'the same where none is wanted',
    interop: false,
    steps: [
      [0, inbound()],
      [1, identified('/meshsub/1.2.0'), 'drop P plain'],
    ],
    state: 'leaving',
  },
  {
    id: 'a gossip peer that begins to speak our protocols',
    steps: [
      [0, inbound()],
      [1, identified('/meshsub/1.2.0'), 'plain P'],
      [2, hello(), 'greeted P'],
    ],
    state: 'done',
  },
  {
    id: 'a peer that speaks ours is waited for',
    steps: [
      [0, inbound()],
      [1, identified('/floodgate/other/hello/1', '/floodgate/demo/hello/1')],
      [4_999, hello(), 'greeted P'],
    ],
    state: 'done',
  },
  {
    id: 'another network, by its protocols',
    steps: [
      [0, inbound()],
      [1, identified('/meshsub/1.2.0', '/floodgate/other/hello/1'), 'estranged P', 'drop P network'],
    ],
    state: 'leaving',
  },
  {
    id: 'another network whose name begins as ours does',
    steps: [
      [0, inbound()],
      [1, identified('/floodgate/demo-2/hello/1'), 'estranged P', 'drop P network'],
    ],
    state: 'leaving',
  },
  {
    id: 'our network with a later handshake only',
    steps: [
      [0, inbound()],
      [1, identified('/floodgate/demo/hello/2', '/floodgate/demo/pex/2'), 'drop P version'],
    ],
    state: 'leaving',
  },
  {
    id: 'our network without any handshake is as good as none of ours',
    steps: [
      [0, inbound()],
      [1, identified('/floodgate/demo/kad/1.0.0'), 'plain P'],
    ],
    state: 'plain',
  },
  {
    id: 'protocols that only look like ours',
    steps: [
      [0, inbound()],
      [1, identified('/floodgate', '/floodgate/other', 'x/floodgate/other/hello/1'), 'plain P'],
    ],
    state: 'plain',
  },
  {
    id: 'what identify says after the handshake does not matter',
    steps: [
      [0, inbound()],
      [1, hello(), 'greeted P'],
      [2, identified('/floodgate/other/hello/1')],
    ],
    state: 'done',
  },
  {
    id: 'a refused request waits for identify',
    steps: [
      [0, outbound(), 'greet P'],
      [1, unsupported],
      [2, tick],
      [3, identified('/floodgate/other/hello/1'), 'estranged P', 'drop P network'],
    ],
    state: 'leaving',
  },
  {
    id: 'a refused request without identify is a gossip peer in the end',
    steps: [
      [0, outbound(), 'greet P'],
      [1, unsupported],
      [4_999, tick],
      [5_000, tick, 'plain P'],
    ],
    state: 'plain',
  },
  {
    id: 'or is dropped, where none is wanted',
    interop: false,
    steps: [
      [0, outbound(), 'greet P'],
      [1, unsupported],
      [5_000, tick, 'drop P plain'],
    ],
    state: 'leaving',
  },
  {
    id: 'a hello from before its connection waits for it',
    steps: [
      [0, hello()],
      [1, inbound(), 'greeted P'],
      [2, hello(), 'offence P'],
    ],
    state: 'done',
  },
  {
    id: 'a hello whose connection does not come is forgotten',
    steps: [
      [0, hello()],
      [5_000, tick],
      [5_001, inbound()],
      [10_001, tick, 'drop P handshake'],
    ],
    state: 'leaving',
  },
  {
    id: 'one that does not decode takes an early hello with it',
    steps: [
      [0, hello()],
      [1, malformed, 'offence P', 'drop P handshake'],
      [2, inbound()],
    ],
    state: 'pending',
  },
  {
    id: 'a hello from before its connection may be of another network, too',
    steps: [
      [0, hello({ network: 'other' })],
      [1, hello(), 'offence P'],
      [2, inbound(), 'estranged P', 'drop P network'],
    ],
    state: 'leaving',
  },
  {
    id: 'nothing is made of facts about strangers',
    steps: [
      [0, answer()],
      [0, unsupported],
      [0, identified()],
      [0, closed],
      [9_000, tick],
    ],
  },
]

describe('greetings', () => {
  for (const { id, interop = true, steps, state } of cases) {
    it(id, () => {
      const greetings = new Greetings({ ...OPTIONS, interop })
      for (const [atMs, event, ...actions] of steps) {
        const done = greetings.handle(event, atMs)
        greetings.check()
        assert.deepEqual(done.map(briefly), actions, `at ${atMs}: ${event.type}`)
      }
      assert.equal(greetings.stateOf('P'), state)
    })
  }

  it('hands on the hello and the version that both speak', () => {
    const greetings = new Greetings(OPTIONS)
    greetings.handle(inbound(), 0)
    const theirs = { ...HELLO, versions: [7, 1], agent: 'other' }
    const [greeted] = greetings.handle({ type: 'hello', peer: 'P', hello: theirs, isAnswer: false }, 1)
    assert.deepEqual(greeted, { type: 'greeted', peer: 'P', hello: theirs, version: 1 })
  })

  it('knows a copy of our identity from ourselves', () => {
    const greetings = new Greetings(OPTIONS)
    greetings.handle(inbound('US'), 0)
    const [drop] = greetings.handle(hello({}, 'US'), 1)
    assert.deepEqual(drop, {
      type: 'drop',
      peer: 'US',
      reason: 'self',
      detail: 'another process has our identity',
    })
  })

  it('follows so many peers and no more, and forgets them', () => {
    const greetings = new Greetings(OPTIONS)
    for (let index = 0; index < GREETINGS_MAX; index++) greetings.handle(inbound(`P${index}`), 0)
    assert.deepEqual(greetings.handle(outbound('late'), 0).map(briefly), ['drop late full'])
    greetings.handle(hello({}, 'early'), 0)
    assert.equal(greetings.size, GREETINGS_MAX)
    // A known peer can still have a second connection.
    assert.deepEqual(greetings.handle(outbound('P7'), 0).map(briefly), ['greet P7'])
    greetings.check()
    assert.equal(greetings.handle(tick, 5_000).length, GREETINGS_MAX)
    for (let index = 0; index < GREETINGS_MAX; index++) {
      greetings.handle({ type: 'closed', peer: `P${index}` }, 5_000)
    }
    assert.equal(greetings.size, 0)
  })
})
