import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Admission, type AdmissionOptions, type Admittance } from '../../src/peers/admission.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { AdmissionTwin } from './admission-twin.ts'

const OPTIONS: AdmissionOptions = {
  pendingPerIp: 2,
  pendingMax: 100,
  connectionsPerIp: 3,
  connectionsPerGroup: 8,
  groupRules: 'all',
}

/** Sockets are numbered in the order of the steps `in`; the answer to each is beside it, a number for who must go. */
type Step =
  | ['in', ip: string, answer: 'ok' | 'ip-limit' | 'group-limit' | number]
  | ['opened' | 'closed', socket: number]

const A = '203.0.113.1'
const PRIVATE = '10.1.2.3'

const cases: { id: string; options?: Partial<AdmissionOptions>; steps: Step[] }[] = [
  {
    id: 'two of one address may be in their handshakes, not three',
    steps: [
      ['in', A, 'ok'],
      ['in', A, 'ok'],
      ['in', A, 'ip-limit'],
    ],
  },
  {
    id: 'one more may come when one has opened, and then no more: three in all',
    steps: [
      ['in', A, 'ok'],
      ['in', A, 'ok'],
      ['opened', 0],
      ['in', A, 'ok'],
      ['in', A, 'ip-limit'],
      ['opened', 1],
      ['opened', 2],
      ['in', A, 'ip-limit'],
    ],
  },
  {
    id: 'one may come for one that has closed, pending or open',
    steps: [
      ['in', A, 'ok'],
      ['in', A, 'ok'],
      ['closed', 0],
      ['in', A, 'ok'],
      ['opened', 1],
      ['opened', 2],
      ['closed', 1],
      ['in', A, 'ok'],
      ['in', A, 'ok'],
      ['in', A, 'ip-limit'],
    ],
  },
  {
    id: 'opening and closing twice counts once',
    steps: [
      ['in', A, 'ok'],
      ['in', A, 'ok'],
      ['opened', 0],
      ['opened', 0],
      ['in', A, 'ok'],
      ['closed', 0],
      ['closed', 0],
      ['in', A, 'ip-limit'],
      ['opened', 2],
      ['in', A, 'ok'],
      ['in', A, 'ip-limit'],
    ],
  },
  {
    id: 'sockets that it has not let in do not matter',
    steps: [
      ['opened', 7],
      ['closed', 7],
      ['in', A, 'ok'],
      ['in', A, 'ok'],
      ['in', A, 'ip-limit'],
      ['closed', 2],
      ['in', A, 'ip-limit'],
    ],
  },
  {
    id: 'eight of one group may come, whatever their addresses',
    steps: [
      ...Array.from({ length: 8 }, (_, i): Step => ['in', `203.0.${i}.1`, 'ok']),
      ['in', '203.0.9.1', 'group-limit'],
      ['in', '203.1.9.1', 'ok'],
      ['opened', 0],
      ['in', '203.0.9.1', 'group-limit'],
      ['closed', 0],
      ['in', '203.0.9.1', 'ok'],
    ],
  },
  {
    id: 'an IPv6 /64 is one address, and an IPv4 address in IPv6 is itself',
    steps: [
      ['in', '2001:db8:0:1::1', 'ok'],
      ['in', '2001:db8:0:1::2', 'ok'],
      ['in', '2001:db8:0:1::3', 'ip-limit'],
      ['in', '2001:db8:0:2::3', 'ok'],
      ['in', A, 'ok'],
      ['in', `::ffff:${A}`, 'ok'],
      ['in', A, 'ip-limit'],
    ],
  },
  {
    id: 'private addresses are exempt where rules are for routable ones only',
    options: { groupRules: 'routable' },
    steps: [
      ...Array.from({ length: 20 }, (): Step => ['in', PRIVATE, 'ok']),
      ...Array.from({ length: 20 }, (): Step => ['in', '127.0.0.1', 'ok']),
      ['in', '8.8.8.8', 'ok'],
      ['in', '8.8.8.8', 'ok'],
      ['in', '8.8.8.8', 'ip-limit'],
    ],
  },
  {
    id: 'private addresses are not exempt where rules are for all',
    steps: [
      ['in', PRIVATE, 'ok'],
      ['in', PRIVATE, 'ok'],
      ['in', PRIVATE, 'ip-limit'],
    ],
  },
  {
    id: 'for one too many in its handshakes the oldest goes, where all groups have as many',
    options: { pendingMax: 3 },
    steps: [
      ['in', '203.0.113.1', 'ok'],
      ['in', '203.1.113.1', 'ok'],
      ['in', '203.2.113.1', 'ok'],
      ['in', '203.3.113.1', 0],
      ['in', '203.4.113.1', 1],
      // Those that have opened, or that have gone, make room.
      ['opened', 3],
      ['in', '203.5.113.1', 'ok'],
      ['closed', 2],
      ['in', '203.6.113.1', 'ok'],
      ['in', '203.7.113.1', 4],
    ],
  },
  {
    id: 'the oldest of the group goes that has most of them, though there are older ones',
    options: { pendingMax: 4 },
    steps: [
      ['in', '203.0.113.1', 'ok'],
      ['in', '203.1.0.1', 'ok'],
      ['in', '203.2.113.1', 'ok'],
      ['in', '203.1.0.2', 'ok'],
      ['in', '203.3.113.1', 1],
      ['in', '203.2.0.2', 0],
      ['in', '203.4.113.1', 2],
    ],
  },
  {
    id: 'open ones of a group do not count for that',
    options: { pendingMax: 2 },
    steps: [
      ['in', '203.1.0.1', 'ok'],
      ['opened', 0],
      ['in', '203.0.113.1', 'ok'],
      ['in', '203.1.0.2', 'ok'],
      ['in', '203.2.113.1', 1],
    ],
  },
  {
    id: 'nobody goes for one that is refused, and one that has gone counts no more',
    options: { pendingMax: 2 },
    steps: [
      ['in', A, 'ok'],
      ['in', A, 'ok'],
      ['in', A, 'ip-limit'],
      ['in', '203.1.113.1', 0],
      ['in', A, 1],
      ['opened', 0],
      ['closed', 0],
      ['opened', 3],
      ['in', A, 'ok'],
    ],
  },
  {
    id: 'exempt addresses count among those in their handshakes, each for itself',
    options: { pendingMax: 4, groupRules: 'routable' },
    steps: [
      ['in', '10.0.0.1', 'ok'],
      ['in', '10.0.0.2', 'ok'],
      ['in', '10.0.0.3', 'ok'],
      ['in', '10.0.0.3', 'ok'],
      ['in', '8.8.8.8', 2],
      ['in', '10.0.0.4', 0],
      ['opened', 1],
      ['in', '10.0.0.5', 'ok'],
    ],
  },
  {
    id: 'sockets without an address share the limits of one',
    steps: [
      ['in', '', 'ok'],
      ['in', '', 'ok'],
      ['in', '', 'ip-limit'],
    ],
  },
]

function answer(admittance: Admittance | undefined): string | number {
  if (admittance === undefined) return 'ok'
  return 'refuse' in admittance ? admittance.refuse : admittance.evict
}

describe('admission', () => {
  for (const { id, options, steps } of cases) {
    it(id, () => {
      const admission = new Admission({ ...OPTIONS, ...options })
      let socket = 0
      for (const [index, step] of steps.entries()) {
        if (step[0] === 'in')
          assert.equal(answer(admission.accept(socket++, step[1])), step[2], `step ${index}`)
        else if (step[0] === 'opened') admission.opened(step[1])
        else admission.closed(step[1])
        admission.check()
      }
      for (let each = 0; each < socket; each++) admission.closed(each)
      admission.check()
      assert.equal(admission.size, 0)
    })
  }

  it('refuses limits that let nobody in, and a socket that comes in twice', () => {
    assert.throws(() => new Admission({ ...OPTIONS, pendingPerIp: 0 }), assert.AssertionError)
    assert.throws(() => new Admission({ ...OPTIONS, pendingMax: 0 }), assert.AssertionError)
    const admission = new Admission(OPTIONS)
    admission.accept(1, A)
    assert.throws(() => admission.accept(1, A), assert.AssertionError)
  })
})

describe('admission beside its twin', () => {
  const ip = fc.constantFrom('8.8.0.1', '8.8.0.2', '8.8.0.3', '8.9.0.1', '10.0.0.1', '2600::1', '2600::2', '')
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant('in' as const), ip }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('opened' as const), socket: fc.nat(40) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('closed' as const), socket: fc.nat(40) }) },
  )

  for (const groupRules of ['all', 'routable'] as const) {
    it(`agrees where rules are for ${groupRules}, and forgets every socket that has closed`, () => {
      const options = { ...OPTIONS, groupRules, connectionsPerGroup: 5, pendingMax: 6 }
      forRandomEvents(event, { runs: 100, most: 200 }, events => {
        const admission = new Admission(options)
        const twin = new AdmissionTwin(options)
        let sockets = 0
        for (const one of events) {
          // Mostly a socket of late: those of long ago have closed.
          const socket = one.type === 'in' ? sockets++ : Math.max(0, sockets - one.socket)
          if (one.type === 'in')
            assert.deepEqual(admission.accept(socket, one.ip), twin.accept(socket, one.ip))
          else {
            admission[one.type](socket)
            twin[one.type](socket)
          }
          admission.check()
          assert.equal(admission.size, twin.size)
        }
        for (let socket = 0; socket < sockets; socket++) admission.closed(socket)
        admission.check()
        assert.equal(admission.size, 0)
      })
    })
  }
})
