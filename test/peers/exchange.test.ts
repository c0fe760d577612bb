/** Asking others; answering them is in `exchange-server.test.ts`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AddressBook } from '../../src/peers/address-book.ts'
import { Exchange, type ExchangeEvent, PARTNERS_MAX } from '../../src/peers/exchange.ts'
import { answerOf, entryOf, QUESTION_FRAME } from '../../src/peers/exchange-message.ts'
import { Book, briefly, DAY_MS, type Entry, entries, frameOf, WALL_MS } from './exchange-setup.ts'

const greeted = (changed: Partial<Extract<ExchangeEvent, { type: 'greeted' }>> = {}): ExchangeEvent => ({
  type: 'greeted',
  peer: 'P',
  direction: 'outbound',
  ip: '203.0.113.7',
  isManual: false,
  ...changed,
})
const answer = (frame: Uint8Array | undefined): ExchangeEvent => ({ type: 'answer', peer: 'P', frame })
const closed: ExchangeEvent = { type: 'closed', peer: 'P' }
const tick: ExchangeEvent = { type: 'tick' }

type Step = [atMs: number, event: ExchangeEvent, ...actions: string[]]

const one = entries(1)
const some = (count: number, changed: Partial<Entry>): Entry[] =>
  entries(count).map(entry => ({ ...entry, ...changed }))

const cases: { id: string; steps: Step[] }[] = [
  {
    id: 'asks whom we have dialled, once',
    steps: [
      [0, greeted(), 'ask P'],
      [1, greeted()],
      [9_999_999, tick],
    ],
  },
  {
    id: 'does not ask whoever has dialled us',
    steps: [
      [0, greeted({ direction: 'inbound' })],
      [9_999_999, tick],
    ],
  },
  {
    id: 'asks whom the user has named, whichever side has dialled',
    steps: [[0, greeted({ direction: 'inbound', isManual: true }), 'ask P']],
  },
  {
    id: 'asks again after the pause that was asked for',
    steps: [
      [0, greeted(), 'ask P'],
      [100, answer(frameOf(one, 600)), 'learn P 1'],
      [600_099, tick],
      [600_100, tick, 'ask P'],
      [600_101, tick],
      [600_200, answer(frameOf([], 3_600))],
      [4_200_199, tick],
      [4_200_200, tick, 'ask P'],
    ],
  },
  {
    id: 'never sooner than after ten seconds',
    steps: [
      [0, greeted(), 'ask P'],
      [0, answer(frameOf(one, 0)), 'learn P 1'],
      [9_999, tick],
      [10_000, tick, 'ask P'],
    ],
  },
  ...[undefined, new Uint8Array(0)].map((frame, index) => ({
    id: `asks again in ten minutes when there was no answer (${index})`,
    steps: [
      [0, greeted(), 'ask P'],
      [50, answer(frame)],
      [600_049, tick],
      [600_050, tick, 'ask P'],
    ] satisfies Step[],
  })),
  {
    id: 'does not ask whoever has left, and takes nothing from it',
    steps: [
      [0, greeted(), 'ask P'],
      [1, closed],
      [2, answer(frameOf(one))],
      [9_999_999, tick],
    ],
  },
  {
    id: 'takes one answer for a question',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(one)), 'learn P 1'],
      [2, answer(frameOf(entries(2)))],
    ],
  },
  {
    id: 'takes no answer from whom it has not asked',
    steps: [
      [0, answer(frameOf(one))],
      [1, greeted({ direction: 'inbound' })],
      [2, answer(frameOf(one))],
    ],
  },
  {
    id: 'takes 250 addresses',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(entries(250))), 'learn P 250'],
    ],
  },
  {
    id: 'refuses 251 whole, and asks again in ten minutes',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(entries(251), 10)), 'exchange-too-many P'],
      [600_000, tick],
      [600_001, tick, 'ask P'],
    ],
  },
  {
    id: 'refuses what does not decode',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(one).subarray(0, 5)), 'exchange-malformed P'],
      [600_001, tick, 'ask P'],
    ],
  },
  {
    id: 'refuses what is too long',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(new Uint8Array(16_385)), 'exchange-malformed P'],
    ],
  },
  {
    id: 'leaves out what cannot be reached from the internet, and blames it once',
    steps: [
      [0, greeted(), 'ask P'],
      [
        1,
        answer(frameOf([...one, ...some(3, { ip: Uint8Array.of(10, 0, 0, 1) })])),
        'learn P 1',
        'exchange-bad-address P',
      ],
    ],
  },
  {
    id: 'leaves out port 0',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(some(1, { port: 0 }))), 'exchange-bad-address P'],
    ],
  },
  {
    id: 'leaves out IP addresses of a length that none has',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(some(2, { ip: new Uint8Array(10) }))), 'exchange-bad-address P'],
    ],
  },
  {
    id: 'leaves out our own endpoint',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(some(1, { ip: Uint8Array.of(60, 0, 0, 1) }))), 'exchange-bad-address P'],
    ],
  },
  {
    id: 'does not ask soon again whom it has just blamed',
    steps: [
      [0, greeted(), 'ask P'],
      [0, answer(frameOf(some(1, { port: 0 }), 10)), 'exchange-bad-address P'],
      [599_999, tick],
      [600_000, tick, 'ask P'],
    ],
  },
  {
    id: 'takes an endpoint once, however often it is told',
    steps: [
      [0, greeted(), 'ask P'],
      [1, answer(frameOf(some(9, { ip: Uint8Array.of(8, 8, 8, 8) }))), 'learn P 1'],
    ],
  },
]

/** This node listens at 60.0.0.1:9000. */
function newExchange(groupRules: 'all' | 'routable' = 'all'): Exchange {
  const book = new Book([], groupRules)
  book.ours.add('60.0.0.1:9000')
  return new Exchange(book)
}

const at = (exchange: Exchange, event: ExchangeEvent, nowMs: number) => {
  const actions = exchange.handle(event, nowMs, WALL_MS + nowMs)
  exchange.check()
  return actions
}

describe('the exchange asks', () => {
  for (const { id, steps } of cases) {
    it(id, () => {
      const exchange = newExchange()
      for (const [atMs, event, ...actions] of steps) {
        assert.deepEqual(at(exchange, event, atMs).map(briefly), actions, `at ${atMs}: ${event.type}`)
      }
    })
  }

  it('always the same question', () => {
    const [ask] = at(newExchange(), greeted(), 0)
    assert.deepEqual(ask, { type: 'ask', peer: 'P', frame: QUESTION_FRAME })
  })

  it('and hands on what the book needs', () => {
    const exchange = newExchange()
    at(exchange, greeted(), 0)
    const told = [{ endpoint: '[2600::1]:9000', lastSuccessS: 1_699_999_800 }]
    const [learn] = at(
      exchange,
      answer(
        answerOf(
          told.map(it => entryOf(it.endpoint, it.lastSuccessS)),
          600,
        ),
      ),
      1,
    )
    const heard = {
      endpoint: '[2600::1]:9000',
      source: 'exchange',
      sourceGroup: '4:203.0',
      lastHeardMs: 1_699_999_800_000,
      penaltyMs: 7_200_000,
    }
    assert.deepEqual(learn, { type: 'learn', peer: 'P', heard: [heard] })
  })

  const times: { id: string; toldS: number; heardMs: number }[] = [
    { id: 'an hour ago', toldS: 1_699_996_200, heardMs: 1_699_996_200_000 - 7_200_000 },
    { id: 'in an hour', toldS: 1_700_003_600, heardMs: WALL_MS - 5 * DAY_MS - 7_200_000 },
    { id: 'never', toldS: 0, heardMs: WALL_MS - 5 * DAY_MS - 7_200_000 },
  ]
  for (const { id, toldS, heardMs } of times) {
    it(`and the book believes little of a time: ${id}`, () => {
      const exchange = newExchange()
      const book = new AddressBook({ key: new Uint8Array(32), random: () => 0.5, groupRules: 'all' })
      at(exchange, greeted(), 0)
      const told = [{ endpoint: '8.8.8.8:9000', lastSuccessS: toldS }]
      for (const action of at(
        exchange,
        answer(
          answerOf(
            told.map(it => entryOf(it.endpoint, it.lastSuccessS)),
            600,
          ),
        ),
        1,
      )) {
        assert.equal(action.type, 'learn')
        if (action.type === 'learn') for (const heard of action.heard) book.add(heard, WALL_MS)
      }
      assert.equal(book.get('8.8.8.8:9000')?.lastHeardMs, heardMs)
    })
  }

  it('and takes loopback addresses from those on loopback only, where private ones count', () => {
    for (const [ip, learned] of [
      ['127.0.0.1', 3],
      ['::1', 3],
      ['192.168.1.1', 1],
      ['', 1],
    ] as const) {
      const exchange = newExchange('routable')
      at(exchange, greeted({ ip }), 0)
      const told = ['127.0.0.1:9001', '[::1]:9001', '10.0.0.1:9001'].map(endpoint => ({
        endpoint,
        lastSuccessS: 1,
      }))
      assert.deepEqual(
        at(
          exchange,
          answer(
            answerOf(
              told.map(it => entryOf(it.endpoint, it.lastSuccessS)),
              600,
            ),
          ),
          1,
        ).map(briefly),
        [`learn P ${learned}`],
      )
    }
  })
})

describe('the exchange takes in', () => {
  /** Asks and answers at the given times; what was taken of `count` each time. */
  const takes = (count: number, atMs: readonly number[], retryAfterS = 10): number[] => {
    const exchange = newExchange()
    at(exchange, greeted(), 0)
    return atMs.map(nowMs => {
      at(exchange, tick, nowMs)
      const [learn] = at(exchange, answer(frameOf(entries(count), retryAfterS)), nowMs)
      return learn?.type === 'learn' ? learn.heard.length : 0
    })
  }

  it('a whole answer for a question every ten minutes', () => {
    assert.deepEqual(takes(250, [0, 600_000, 1_200_000], 600), [250, 250, 250])
  })

  it('of a node that is asked soon again 32 more each time, and a token for ten seconds', () => {
    assert.deepEqual(takes(250, [0, 10_000, 20_000, 30_000]), [250, 33, 33, 33])
  })

  it('a whole answer again when ten minutes are over', () => {
    const everyTen = Array.from({ length: 62 }, (_, index) => index * 10_000)
    const taken = takes(250, everyTen)
    assert.deepEqual(taken.slice(58), [33, 33, 250, 34])
  })

  it('everything that an honest young network has to tell', () => {
    const everyTen = Array.from({ length: 60 }, (_, index) => index * 10_000)
    assert.ok(takes(31, everyTen).every(taken => taken === 31))
  })

  it('what comes first, and counts the rest', () => {
    const exchange = newExchange()
    at(exchange, greeted(), 0)
    at(exchange, answer(frameOf(entries(250), 10)), 0)
    at(exchange, tick, 10_000)
    const [learn] = at(exchange, answer(frameOf(entries(100), 10)), 10_000)
    assert.equal(exchange.ignored, 67)
    assert.ok(learn?.type === 'learn')
    assert.equal(learn.heard.at(-1)?.endpoint, '70.32.0.1:9000')
  })

  it('no more for bad addresses: they cost tokens, too', () => {
    const exchange = newExchange()
    at(exchange, greeted(), 0)
    at(exchange, answer(frameOf(entries(250), 10)), 0)
    at(exchange, tick, 10_000)
    const list = [...some(20, { port: 0 }), ...entries(100)]
    const [learn] = at(exchange, answer(frameOf(list, 10)), 10_000)
    assert.equal(learn && briefly(learn), 'learn P 13')
  })

  it('from so many peers and no more', () => {
    const exchange = newExchange()
    for (let index = 0; index < PARTNERS_MAX; index++) {
      exchange.handle(greeted({ peer: `Q${index}`, direction: 'inbound' }), 0, WALL_MS)
    }
    assert.deepEqual(at(exchange, greeted(), 0), [])
    at(exchange, { type: 'closed', peer: 'Q5' }, 1)
    assert.equal(at(exchange, greeted(), 2).length, 1)
  })
})
