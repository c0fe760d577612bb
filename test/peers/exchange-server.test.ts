/** Answering others; asking them is in `exchange.test.ts`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Exchange, type ExchangeAction, type ExchangeEvent, PARTNERS_MAX } from '../../src/peers/exchange.ts'
import { QUESTION_FRAME } from '../../src/peers/exchange-message.ts'
import {
  Book,
  briefly,
  entries,
  frameOf,
  manyReached,
  reachedAt,
  replied,
  WALL_MS,
} from './exchange-setup.ts'

const greeted = (peer = 'P', ip = '203.0.113.7'): ExchangeEvent => ({
  type: 'greeted',
  peer,
  direction: 'inbound',
  ip,
  isManual: false,
})
const request = (peer = 'P', frame: Uint8Array = QUESTION_FRAME): ExchangeEvent => ({
  type: 'request',
  peer,
  frame,
})
const closed = (peer = 'P'): ExchangeEvent => ({ type: 'closed', peer })
const tick: ExchangeEvent = { type: 'tick' }

const at = (exchange: Exchange, event: ExchangeEvent, nowMs: number): ExchangeAction[] => {
  const actions = exchange.handle(event, nowMs, WALL_MS + nowMs)
  exchange.check()
  return actions
}

const told = (exchange: Exchange, peer: string, nowMs: number): (string | undefined)[] | undefined =>
  replied(at(exchange, request(peer), nowMs))?.told.map(({ endpoint }) => endpoint)

type Step = [atMs: number, event: ExchangeEvent, ...actions: string[]]

const cases: { id: string; reached: number; steps: Step[] }[] = [
  {
    id: 'whoever has shaken hands',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [1, request(), 'reply P 230 600'],
    ],
  },
  {
    id: 'nobody else',
    reached: 1_000,
    steps: [
      [0, request()],
      [1, greeted()],
      [2, closed()],
      [3, request()],
    ],
  },
  {
    id: 'with all that it has, and a short pause, while it has few',
    reached: 31,
    steps: [
      [0, greeted()],
      [1, request(), 'reply P 31 10'],
    ],
  },
  {
    id: 'with nothing, when it has nothing',
    reached: 0,
    steps: [
      [0, greeted()],
      [1, request(), 'reply P 0 10'],
    ],
  },
  {
    id: 'again when the pause is over, less a tenth',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [0, request(), 'reply P 230 600'],
      [540_000, request(), 'reply P 230 600'],
      [1_080_000, request(), 'reply P 230 600'],
    ],
  },
  {
    id: 'not before that: an offence, and the pause is no longer for it',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [0, request(), 'reply P 230 600'],
      [1, request(), 'exchange-too-soon P'],
      [539_999, request(), 'exchange-too-soon P'],
      [540_000, request(), 'reply P 230 600'],
    ],
  },
  {
    id: 'in a young network, in the same way',
    reached: 3,
    steps: [
      [0, greeted()],
      [0, request(), 'reply P 3 10'],
      [8_999, request(), 'exchange-too-soon P'],
      [9_000, request(), 'reply P 3 10'],
    ],
  },
  {
    id: 'on a new connection with the rest of the pause, and no blame before that was said',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [0, request(), 'reply P 230 600'],
      [1, closed()],
      [100_500, greeted()],
      [100_500, request(), 'reply P 0 500'],
      [100_501, request(), 'exchange-too-soon P'],
      [540_000, request(), 'reply P 230 600'],
    ],
  },
  {
    id: 'the same pause however often the connection is a new one',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [0, request(), 'reply P 230 600'],
      ...[1, 2, 3, 4, 5].flatMap(count => [
        [count * 100_000, closed()] satisfies Step,
        [count * 100_000, greeted()] satisfies Step,
        [count * 100_000, request(), `reply P 0 ${600 - count * 100}`] satisfies Step,
      ]),
      [539_999, request(), 'exchange-too-soon P'],
    ],
  },
  {
    id: 'the same pause also after its memories were swept',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [0, request(), 'reply P 230 600'],
      [500_000, tick],
      [500_001, request(), 'exchange-too-soon P'],
      [600_000, tick],
      [600_001, request(), 'reply P 230 600'],
    ],
  },
  {
    id: 'no question that carries addresses',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [1, request('P', frameOf(entries(1))), 'exchange-unsolicited P'],
      [2, request('P', frameOf(entries(50))), 'exchange-unsolicited P'],
      [3, request(), 'reply P 230 600'],
    ],
  },
  {
    id: 'no question that does not decode, or is too long',
    reached: 1_000,
    steps: [
      [0, greeted()],
      [1, request('P', Uint8Array.of(8)), 'exchange-malformed P'],
      [2, request('P', new Uint8Array(1_025)), 'exchange-malformed P'],
    ],
  },
]

describe('the exchange answers', () => {
  for (const { id, reached, steps } of cases) {
    it(id, () => {
      const exchange = new Exchange(new Book(manyReached(reached)))
      for (const [atMs, event, ...actions] of steps) {
        assert.deepEqual(at(exchange, event, atMs).map(briefly), actions, `at ${atMs}: ${event.type}`)
      }
    })
  }

  it('everyone alike', () => {
    const exchange = new Exchange(new Book(manyReached(2_000)))
    const askers = ['A', 'B', 'C']
    for (const [index, peer] of askers.entries()) at(exchange, greeted(peer, `20${index}.0.0.1`), 0)
    const [first, ...others] = askers.map((peer, index) => told(exchange, peer, index * 3_600_000))
    assert.equal(first?.length, 250)
    for (const other of others) assert.deepEqual(other, first)
  })

  it('without the endpoints of the asker itself', () => {
    const exchange = new Exchange(
      new Book([reachedAt('60.0.0.1:9000', 'A'), reachedAt('61.0.0.1:9000', 'B')]),
    )
    for (const peer of ['A', 'B', 'C']) at(exchange, greeted(peer), 0)
    assert.deepEqual(told(exchange, 'A', 1), ['61.0.0.1:9000'])
    assert.deepEqual(told(exchange, 'B', 1), ['60.0.0.1:9000'])
    assert.deepEqual(told(exchange, 'C', 1)?.toSorted(), ['60.0.0.1:9000', '61.0.0.1:9000'])
  })

  it('without those that are banned, also since the sample was drawn', () => {
    const book = new Book(manyReached(1_000))
    const exchange = new Exchange(book)
    for (const peer of ['A', 'B']) at(exchange, greeted(peer), 0)
    const before = told(exchange, 'A', 0) ?? []
    for (const endpoint of before.slice(0, 200)) book.banned.add(endpoint ?? '')
    assert.deepEqual(told(exchange, 'B', 1), before.slice(200))
  })

  it('without private ones, and with them where they count', () => {
    const list = ['10.0.0.1:9000', '192.168.0.1:9000', '60.0.0.1:9000'].map(it => reachedAt(it, it))
    for (const [rules, count] of [
      ['all', 1],
      ['routable', 3],
    ] as const) {
      const exchange = new Exchange(new Book(list, rules))
      at(exchange, greeted(), 0)
      assert.equal(told(exchange, 'P', 1)?.length, count)
    }
  })

  it('with loopback addresses for those on loopback only', () => {
    const list = ['127.0.0.1:9000', '[::1]:9000', '60.0.0.1:9000'].map(it => reachedAt(it, it))
    const exchange = new Exchange(new Book(list, 'routable'))
    for (const [ip, count] of [
      ['127.0.0.1', 3],
      ['::1', 3],
      ['192.168.0.1', 1],
      ['', 1],
    ] as const) {
      at(exchange, greeted(`at ${ip}`, ip), 0)
      assert.equal(told(exchange, `at ${ip}`, 1)?.length, count)
    }
  })

  it('with times of ten minutes and no finer', () => {
    const exchange = new Exchange(new Book([reachedAt('60.0.0.1:9000', 'A', 1_699_999_799_999)]))
    at(exchange, greeted(), 0)
    assert.deepEqual(replied(at(exchange, request(), 1)), {
      told: [{ endpoint: '60.0.0.1:9000', lastSuccessS: 1_699_999_200 }],
      retryAfterS: 10,
    })
  })

  it('and remembers so many askers and no more: the one answered first is forgotten', () => {
    const exchange = new Exchange(new Book(manyReached(40)))
    const answered = (peer: string, nowMs: number): string[] => {
      exchange.handle(greeted(peer), nowMs, WALL_MS)
      const actions = exchange.handle(request(peer), nowMs, WALL_MS).map(briefly)
      exchange.handle(closed(peer), nowMs, WALL_MS)
      return actions
    }
    for (let index = 0; index < PARTNERS_MAX; index++) answered(`Q${index}`, 0)
    assert.deepEqual(answered('Q0', 0), ['reply Q0 0 600'])
    assert.deepEqual(answered('late', 0), ['reply late 32 600'])
    exchange.check()
    assert.deepEqual(answered('Q0', 0), ['reply Q0 32 600'])
    assert.deepEqual(answered('Q2', 0), ['reply Q2 0 600'])
    // Q3 is answered anew, and so it is not the next one after Q2 that makes room.
    assert.deepEqual(answered('Q3', 540_000), ['reply Q3 32 600'])
    for (const peer of ['one', 'two']) answered(peer, 540_000)
    assert.deepEqual(answered('Q3', 540_001), ['reply Q3 0 600'])
  })
})
