/** The asking side: which announcements go on, when it asks, and when it asks again. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AsksScript, type Case, playCases, type Step } from './asks-script.ts'

const ASKED: Step = [0, 'p announces a b as t', 'ask p for a b']

const announcements: Case[] = [
  {
    id: 'all items are asked of the announcer together; when all are accepted, it goes on',
    steps: [
      ASKED,
      [1, 'p sends a', 'deliver a from p'],
      [2, 'p sends b', 'deliver b from p'],
      [3, 'accept a'],
      [4, 'accept b', 'accept p/t'],
      [9_000, 'tick'],
    ],
  },
  ...['ignore', 'reject'].map(
    (verdict): Case => ({
      id: `with one ${verdict}, it is ignored at once, and the others are announced anew`,
      steps: [
        [0, 'p announces a b c as t', 'ask p for a b c'],
        [1, 'p sends a', 'deliver a from p'],
        [1, 'accept a'],
        [2, 'p sends b', 'deliver b from p'],
        [2, `${verdict} b`, 'ignore p/t', 'announce a'],
        [3, 'p sends c', 'deliver c from p'],
        [4, 'accept c', 'announce c'],
      ],
    }),
  ),
  {
    id: 'with one that is too large, it is ignored at once; the others are fetched',
    steps: [
      [0, 'p announces a b:101 as t', 'ignore p/t', 'ask p for a'],
      [1, 'p sends a', 'deliver a from p'],
      [2, 'accept a', 'announce a'],
    ],
  },
  {
    id: 'with one that was judged otherwise, too',
    steps: [
      [0, 'b is over'],
      [0, 'p announces b a as t', 'ignore p/t', 'ask p for a'],
      [2, 'p sends a', 'deliver a from p'],
      [3, 'accept a', 'announce a'],
    ],
  },
  {
    id: 'what was accepted before is not asked for, and not announced again when another fails',
    steps: [
      [0, 'a is accepted'],
      [0, 'p announces a b as t', 'ask p for b'],
      [1, 'p lacks b', 'ignore p/t', 'blame p: ask-lacked'],
      [2, 'b is new'],
      [3, 'q announces a b as u', 'ask q for b'],
      [4, 'q sends b', 'deliver b from q'],
      [5, 'accept b', 'accept q/u'],
    ],
  },
  {
    id: 'one that holds nothing new is ignored, whatever selection it is; one with something new goes on with it',
    steps: [
      [0, 'a is accepted'],
      [0, 'b:5 is accepted'],
      [0, 'p announces a as t', 'ignore p/t'],
      [1, 'p announces a b:5 as u', 'ignore p/u'],
      [2, 'p offers a b:5'],
      [3, 'p announces b:5 c a as v', 'ask p for c'],
      [4, 'p sends c', 'deliver c from p'],
      [5, 'accept c', 'accept p/v'],
      [6, 'q announces b:5 c a as w', 'ignore q/w'],
    ],
  },
  {
    id: 'what is judged is new still: an announcement of it alone goes on',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'p sends a', 'deliver a from p'],
      [1, 'a is judging'],
      [2, 'q announces a as u'],
      [3, 'accept a', 'accept p/t', 'accept q/u'],
      [4, 'r announces a as v', 'ignore r/v'],
    ],
  },
  {
    id: 'one that claims another size for what is kept does not go on',
    steps: [
      [0, 'a:10 is accepted'],
      [0, 'p announces a:11 b as t', 'ignore p/t', 'ask p for b'],
      [0, 'q announces a:10 b as u'],
      [1, 'p sends b', 'deliver b from p'],
      [2, 'accept b', 'accept q/u'],
    ],
  },
  {
    id: 'of two that hold the same, the first carries it, and both go on',
    steps: [
      ASKED,
      [0, 'q announces b as u'],
      [1, 'p sends b', 'deliver b from p'],
      [2, 'accept b', 'accept q/u'],
      [3, 'p lacks a', 'ignore p/t', 'announce b', 'blame p: ask-lacked'],
    ],
  },
  {
    id: 'one that is not decided in time is ignored; what is accepted later is announced anew, once',
    steps: [
      ASKED,
      [1, 'p sends a', 'deliver a from p'],
      [2, 'p sends b', 'deliver b from p'],
      [3, 'accept a'],
      [2_999, 'tick'],
      [3_000, 'tick', 'ignore p/t', 'announce a'],
      [4_000, 'accept b', 'announce b'],
    ],
  },
  {
    id: 'what came by gossip itself meanwhile is not asked for, and its verdict counts',
    steps: [
      [0, 'a is judging'],
      [0, 'p announces a as t'],
      [900, 'tick'],
      [901, 'accept a', 'accept p/t'],
    ],
  },
  {
    id: 'a verdict on what is being asked for counts; the payload that is on its way is no offence',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'accept a', 'accept p/t'],
      [1, 'a is new'],
      [2, 'p sends a'],
      [3, 'p sends a'],
    ],
  },
  {
    id: 'an offer has no ticket, and what is accepted of it is announced',
    steps: [
      [0, 'p offers a b', 'ask p for a b'],
      [1, 'p sends a', 'deliver a from p'],
      [2, 'p sends b', 'deliver b from p'],
      [3, 'accept b', 'announce b'],
      [4, 'reject a'],
    ],
  },
  {
    id: 'at the close each is ignored, once',
    steps: [
      ASKED,
      [1, 'p sends a', 'deliver a from p'],
      [1, 'accept a'],
      [2, 'q announces b c as u', 'ask q for c'],
      [3, 'close', 'ignore p/t', 'ignore q/u'],
      [4, 'close'],
      [5, 'accept b'],
      [9_999, 'tick'],
    ],
  },
]

const times: Case[] = [
  {
    id: 'after 500 ms the next holder is asked, and what comes late from the first is taken',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'q echoes a'],
      [499, 'tick'],
      [500, 'tick', 'blame p: timeout', 'ask q for a'],
      [600, 'p sends a', 'deliver a from p'],
      [610, 'q sends a'],
      [700, 'accept a', 'accept p/t'],
    ],
  },
  {
    id: 'one that comes later is asked before one that was silent; the same again when there is no other',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [500, 'tick', 'blame p: timeout', 'ask p for a'],
      [600, 'q announces a as u'],
      [1_000, 'tick', 'blame p: timeout', 'ask q for a'],
      [1_100, 'r echoes a'],
      [1_500, 'tick', 'blame q: timeout', 'ask r for a'],
      [2_000, 'tick', 'blame r: timeout', 'ask p for a'],
    ],
  },
  {
    id: 'after eight asks it is given up; announced again, it is new',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      ...Array.from(
        { length: 7 },
        (_, round): Step => [
          500 * (round + 1),
          'tick',
          'blame p: timeout',
          ...(round === 5 ? ['ignore p/t'] : []),
          'ask p for a',
        ],
      ),
      [4_000, 'tick', 'blame p: timeout'],
      [4_001, 'p sends a'],
      [4_002, 'p announces a as u', 'ask p for a'],
    ],
  },
  {
    id: 'silence is blamed once for all asks that are due, and once in 500 ms',
    steps: [
      [0, 'p announces a b as t', 'ask p for a b'],
      [100, 'p offers c', 'ask p for c'],
      [500, 'tick', 'blame p: timeout', 'ask p for a b'],
      [600, 'tick', 'ask p for c'],
      [1_100, 'tick', 'blame p: timeout', 'ask p for a b c'],
    ],
  },
  {
    id: 'one that answers slowly is not blamed, and is given more time',
    steps: [
      [0, 'p announces a b as t', 'ask p for a b'],
      [400, 'p sends a', 'deliver a from p'],
      [500, 'tick', 'ask p for b'],
      [2_400, 'p sends b', 'deliver b from p'],
      [2_500, 'p offers c', 'ask p for c'],
      [3_000, 'tick', 'ignore p/t'],
      [3_874, 'tick'],
      [3_875, 'tick', 'blame p: timeout', 'ask p for c'],
    ],
  },
  {
    id: 'how long an answer takes is counted from the first of several asks',
    steps: [
      [0, 'p offers a', 'ask p for a'],
      [500, 'tick', 'blame p: timeout', 'ask p for a'],
      [1_000, 'tick', 'blame p: timeout', 'ask p for a'],
      [1_200, 'p sends a', 'deliver a from p'],
      [1_300, 'p offers b', 'ask p for b'],
      [1_899, 'tick'],
      [1_900, 'tick', 'blame p: timeout', 'ask p for b'],
    ],
  },
  {
    id: 'what was given up, and is asked of another now, is taken when it comes late',
    steps: [
      [0, 'p offers a', 'ask p for a'],
      [500, 'tick', 'blame p: timeout', 'ask p for a'],
      [501, 'p lacks a', 'blame p: ask-lacked'],
      [502, 'q offers a', 'ask q for a'],
      [503, 'p sends a', 'deliver a from p'],
    ],
  },
  {
    id: 'silence makes nobody more patient',
    steps: [
      [0, 'p offers a', 'ask p for a'],
      [500, 'tick', 'blame p: timeout', 'ask p for a'],
      [1_000, 'tick', 'blame p: timeout', 'ask p for a'],
      [1_500, 'tick', 'blame p: timeout', 'ask p for a'],
    ],
  },
]

playCases('announcements', announcements)
playCases('times', times)

describe('the counts', () => {
  it('say what happened', () => {
    const script = new AsksScript()
    script.play(0, 'p announces a b c d as t')
    script.play(0, 'q echoes a b')
    script.play(1, 'p sends a')
    script.play(1, 'p lacks c')
    script.play(1, 'p sends x')
    script.play(501, 'tick')
    script.play(502, 'p sends b')
    assert.deepEqual(
      { ...script.asks.counts },
      { asked: 6, answered: 1, late: 1, lacked: 1, timedOut: 2, unwanted: 1, givenUp: 1, overflow: 0 },
    )
    assert.deepEqual([script.asks.itemCount, script.asks.peerCount], [3, 2])
  })
})
