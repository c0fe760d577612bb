import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { OVERDUE_MAX, SENDERS_MAX } from '../../src/gossip/gate.ts'
import { type Case, playCases, Script } from './gate-script.ts'

const once: Case[] = [
  {
    id: 'a message is asked at once; accepted, it is passed on and delivered',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'accept m', 'accept m/p', 'judged m accept handler'],
    ],
  },
  {
    id: 'ignored, neither, and nobody is blamed',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'ignore m', 'ignore m/p', 'judged m ignore handler'],
    ],
  },
  {
    id: 'rejected, neither, and the sender is blamed',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'reject m', 'reject m/p', 'blame p for m', 'judged m reject handler'],
    ],
  },
  {
    id: 'copies that come meanwhile share its fate, but one is passed on',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'm from q'],
      [2, 'accept m', 'accept m/p', 'ignore m/q', 'judged m accept handler'],
    ],
  },
  {
    id: 'every peer that sent a copy is blamed, once',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'm from q'],
      [2, 'm from p'],
      [
        3,
        'reject m',
        'reject m/p',
        'reject m/q',
        'reject m/p/2',
        'blame p for m',
        'blame q for m',
        'judged m reject handler',
      ],
    ],
  },
  {
    id: 'copies that come after the verdict are ignored',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'reject m', 'reject m/p', 'blame p for m', 'judged m reject handler'],
      [2, 'm from q', 'ignore m/q'],
    ],
  },
  {
    id: 'an id that was forgotten is judged again',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'accept m', 'accept m/p', 'judged m accept handler'],
      [1_000, 'm from q', 'ignore m/q'],
      [2_001, 'm from r', 'ask m'],
    ],
  },
  {
    id: 'a verdict that nobody asked for, or that comes twice, changes nothing',
    steps: [
      [0, 'accept m'],
      [0, 'm from p', 'ask m'],
      [0, 'accept m #0'],
      [0, 'accept m #2'],
      [0, 'quick accept m'],
      [0, 'accept n #1'],
      [1, 'accept m', 'accept m/p', 'judged m accept handler'],
      [1, 'reject m'],
    ],
  },
]

const times: Case[] = [
  {
    id: 'without its verdict when it is due, a message is settled as ignored, once',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'm from q'],
      [99, 'tick'],
      [100, 'tick', 'ignore m/p', 'ignore m/q', 'overdue m'],
      [100, 'tick'],
      [500, 'tick'],
    ],
  },
  {
    id: 'a late accept is delivered and not passed on',
    steps: [
      [0, 'm from p', 'ask m'],
      [100, 'tick', 'ignore m/p', 'overdue m'],
      [300, 'accept m', 'judged m accept handler late'],
    ],
  },
  {
    id: 'a late reject is blamed, also on peers that sent copies after the settlement',
    steps: [
      [0, 'm from p', 'ask m'],
      [100, 'tick', 'ignore m/p', 'overdue m'],
      [150, 'm from q', 'ignore m/q'],
      [300, 'reject m', 'blame p for m', 'blame q for m', 'judged m reject handler late'],
    ],
  },
  {
    id: 'a verdict that comes before the tick is in time',
    steps: [
      [0, 'm from p', 'ask m'],
      [120, 'accept m', 'accept m/p', 'judged m accept handler'],
      [120, 'tick'],
    ],
  },
  {
    id: 'a handler that never returns loses its place, also for what had become due in the queue',
    options: { concurrency: 1 },
    steps: [
      [0, 'm from p', 'ask m'],
      [0, 'n from p'],
      [100, 'tick', 'ignore m/p', 'overdue m', 'ignore n/p', 'overdue n', 'ask n'],
      [150, 'o from p'],
      [199, 'tick'],
      [200, 'tick', 'ask o'],
      [300, 'tick', 'ignore o/p', 'overdue o'],
      [300, 'q from p', 'ask q'],
    ],
  },
  {
    id: 'a call holds its place for the whole timeout, however long its message has waited',
    options: { concurrency: 1 },
    steps: [
      [0, 'm from p', 'ask m'],
      [50, 'n from p'],
      [90, 'accept m', 'accept m/p', 'judged m accept handler', 'ask n'],
      [150, 'tick', 'ignore n/p', 'overdue n'],
      [160, 'o from p'],
      [189, 'tick'],
      [190, 'tick', 'ask o'],
      [191, 'accept n', 'judged n accept handler late'],
    ],
  },
  {
    id: 'what was overdue in the queue is still asked, and delivered late',
    options: { concurrency: 1 },
    steps: [
      [0, 'm from p', 'ask m'],
      [50, 'n from p'],
      [90, 'o from p'],
      [100, 'tick', 'ignore m/p', 'overdue m', 'ask n'],
      [190, 'tick', 'ignore n/p', 'overdue n', 'ignore o/p', 'overdue o'],
      [195, 'accept n', 'judged n accept handler late', 'ask o'],
      [196, 'accept o', 'judged o accept handler late'],
    ],
  },
]

const queue: Case[] = [
  {
    id: 'at most so many calls are under way, and a verdict makes room for the next',
    steps: [
      [0, 'm from p', 'ask m'],
      [0, 'n from p', 'ask n'],
      [0, 'o from p'],
      [1, 'accept n', 'accept n/p', 'judged n accept handler', 'ask o'],
    ],
  },
  {
    id: 'peers take turns in the queue',
    options: { concurrency: 1 },
    steps: [
      [0, 'm from p', 'ask m'],
      [0, 'n from p'],
      [0, 'o from p'],
      [0, 'r from q'],
      [1, 'accept m', 'accept m/p', 'judged m accept handler', 'ask n'],
      [2, 'accept n', 'accept n/p', 'judged n accept handler', 'ask r'],
      [3, 'accept r', 'accept r/q', 'judged r accept handler', 'ask o'],
    ],
  },
  {
    id: 'what overflows is ignored and is new when it comes again',
    options: { concurrency: 1 },
    steps: [
      [0, 'm from p', 'ask m'],
      [0, 'a from q'],
      [0, 'b from p'],
      [0, 'b from q'],
      [0, 'c from p'],
      [1, 'd from p', 'ignore b/p', 'ignore b/q', 'judged b ignore overflow'],
      [2, 'b from r', 'ignore c/p', 'judged c ignore overflow'],
      [3, 'accept m', 'accept m/p', 'judged m accept handler', 'ask a'],
    ],
  },
  {
    id: 'bytes overflow, too',
    options: { concurrency: 1, queueMaxBytes: 100 },
    steps: [
      [0, 'm from p 5000', 'ask m'],
      [0, 'a from q 60'],
      [0, 'b from p 30'],
      [1, 'c from p 20', 'ignore a/q', 'judged a ignore overflow'],
      [2, 'd from q 101', 'ignore d/q', 'judged d ignore overflow'],
    ],
  },
  {
    id: 'calls that have lost their places hold so many bytes; beyond that the oldest are given up',
    options: { concurrency: 3, queueMaxBytes: 100 },
    steps: [
      [0, 'a from p 40', 'ask a'],
      [0, 'b from p 20', 'ask b'],
      [0, 'c from p 40', 'ask c'],
      [100, 'tick', 'ignore a/p', 'overdue a', 'ignore b/p', 'overdue b', 'ignore c/p', 'overdue c'],
      [100, 'd from p 41', 'ask d'],
      [
        200,
        'tick',
        'ignore d/p',
        'overdue d',
        'judged a ignore timeout late',
        'judged b ignore timeout late',
      ],
      [201, 'accept a'],
      [201, 'a from q 40', 'ignore a/q'],
      [202, 'accept c', 'judged c accept handler late'],
    ],
  },
  {
    id: 'a verdict, or the end, makes room for the bytes of the next',
    options: { concurrency: 1, queueMaxBytes: 100 },
    steps: [
      [0, 'a from p 100', 'ask a'],
      [100, 'tick', 'ignore a/p', 'overdue a'],
      [101, 'accept a', 'judged a accept handler late'],
      [102, 'b from p 100', 'ask b'],
      [202, 'tick', 'ignore b/p', 'overdue b'],
      [203, 'close'],
      [204, 'c from p 100', 'ask c'],
      [304, 'tick', 'ignore c/p', 'overdue c'],
      [305, 'accept c', 'judged c accept handler late'],
    ],
  },
  {
    id: 'a call whose payload alone is too large is not waited for',
    options: { concurrency: 1, queueMaxBytes: 100 },
    steps: [
      [0, 'a from p 101', 'ask a'],
      [100, 'tick', 'ignore a/p', 'overdue a', 'judged a ignore timeout late'],
      [101, 'b from p', 'ask b'],
    ],
  },
  {
    id: 'the answer to a call of an earlier life does not count',
    options: { concurrency: 1, isQuick: true, queueMaxMessages: 1 },
    steps: [
      [0, 'm from p', 'askQuick m'],
      [0, 'quick accept m', 'accept m/p', 'ask m'],
      [0, 'n from p', 'askQuick n'],
      [1, 'quick accept n', 'accept n/p'],
      [1, 'o from p', 'askQuick o'],
      [1, 'quick accept o', 'accept o/p', 'judged n ignore overflow'],
      [2, 'n from q', 'askQuick n'],
      [3, 'quick reject n #3'],
      [4, 'quick accept n', 'accept n/q', 'judged o ignore overflow'],
    ],
  },
]

const close: Case[] = [
  {
    id: 'closing settles all that is undecided; later verdicts change nothing',
    options: { concurrency: 1 },
    steps: [
      [0, 'm from p', 'ask m'],
      [0, 'm from q'],
      [0, 'n from p'],
      [1, 'close', 'ignore m/p', 'ignore m/q', 'ignore n/p'],
      [2, 'accept m'],
      [2, 'tick'],
      [500, 'tick'],
      [500, 'n from r', 'ask n'],
    ],
  },
  {
    id: 'closing does not settle twice',
    options: { isQuick: true },
    steps: [
      [0, 'm from p', 'askQuick m'],
      [0, 'quick accept m', 'accept m/p', 'ask m'],
      [0, 'n from p', 'askQuick n'],
      [1, 'close', 'ignore n/p'],
    ],
  },
]

playCases('the gate judges a message once', once)
playCases('the gate keeps to its times', times)
playCases('the gate bounds what waits', queue)
playCases('the gate closes', close)

describe('the gate', () => {
  it('remembers so many senders of a message, and ignores further copies at once', () => {
    const script = new Script()
    const peers = Array.from({ length: SENDERS_MAX }, (_, index) => `p${index}`)
    for (const peer of peers) script.play(0, `m from ${peer}`)
    assert.deepEqual(script.play(1, 'm from q'), ['ignore m/q'])
    assert.deepEqual(script.play(2, 'reject m'), [
      ...peers.map(peer => `reject m/${peer}`),
      ...peers.map(peer => `blame ${peer} for m`),
      'judged m reject handler',
    ])
  })

  it('waits for so many calls that have lost their places, and gives up the oldest', () => {
    const script = new Script({ concurrency: OVERDUE_MAX + 1, queueMaxBytes: OVERDUE_MAX + 1 })
    for (let index = 0; index <= OVERDUE_MAX; index++) script.play(0, `m${index} from p`)
    const actions = script.play(100, 'tick')
    assert.deepEqual(actions.slice(2 * (OVERDUE_MAX + 1)), ['judged m0 ignore timeout late'])
    assert.deepEqual(script.play(101, 'accept m0'), [])
    assert.deepEqual(script.play(101, 'm0 from q'), ['ignore m0/q'])
    assert.deepEqual(script.play(101, 'accept m1'), ['judged m1 accept handler late'])
  })

  it('knows what it has judged and what waits for it', () => {
    const script = new Script({ concurrency: 1 })
    const { gate } = script
    assert.equal(gate.knows('m', 0), false)
    script.play(0, 'm from p')
    script.play(0, 'n from p')
    assert.deepEqual([gate.knows('m', 0), gate.knows('n', 0), gate.queuedCount], [true, true, 1])
    script.play(1, 'accept m')
    assert.deepEqual([gate.knows('m', 1), gate.queuedCount], [true, 0])
    script.play(2, 'close')
    assert.deepEqual([gate.knows('m', 2), gate.knows('n', 2)], [true, false])
    assert.equal(gate.knows('m', 2_001), false)
  })
})
