import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { STREAK } from '../../src/peers/outage.ts'
import { Outbound, type OutboundOptions } from '../../src/peers/outbound.ts'
import type { OutboundEvent } from '../../src/peers/outbound-event.ts'
import {
  A,
  B,
  closed,
  endpointIn,
  failed,
  greeted,
  inShort,
  joined,
  ListBook,
  OPTIONS,
  refused,
  tick,
  WALL_MS,
} from './outbound-setup.ts'

interface Setup {
  readonly book: ListBook
  /** The actions in short. */
  readonly handle: (event: OutboundEvent, nowMs?: number) => string[]
}

function setup(endpoints: readonly string[], options: Partial<OutboundOptions> = {}): Setup {
  const book = new ListBook(...endpoints)
  const parts = { book, random: () => 0.5, mayDial: () => true, anchors: [] }
  const outbound = new Outbound({ ...OPTIONS, ...options }, parts)
  const handle: Setup['handle'] = (event, nowMs = 0) =>
    outbound.handle(event, nowMs, WALL_MS + nowMs).map(inShort)
  return { book, handle }
}

describe('what outbound connections tell the book', () => {
  it('a dial is an attempt, a greeting a success, an end a sign of life', () => {
    const { book, handle } = setup([A], { target: 1 })
    handle(tick, 1)
    assert.deepEqual([book.get(A)?.lastAttemptMs, book.get(A)?.attempts], [WALL_MS + 1, 0])
    handle(greeted(A, 'P'), 2)
    assert.deepEqual([book.get(A)?.peer, book.get(A)?.lastSuccessMs], ['P', WALL_MS + 2])
    handle(closed('P'), 3)
    assert.equal(book.get(A)?.lastHeardMs, WALL_MS + 3)
  })

  it('a failure counts while somebody is connected, whoever it is', () => {
    for (const [peer, attempts] of [
      [undefined, 0],
      ['P', 1],
    ] as const) {
      const { book, handle } = setup([A])
      if (peer !== undefined) handle(joined(peer))
      handle(tick)
      handle(failed(A), 10)
      assert.deepEqual(
        [book.get(A)?.attempts, book.get(A)?.lastAttemptMs],
        [attempts, WALL_MS + 10 * attempts],
      )
    }
  })

  it('failures in a row count up to a streak, and again once somebody has answered', () => {
    const endpoints = Array.from({ length: 3 * STREAK }, (_, n) => endpointIn(n))
    const { book, handle } = setup(endpoints, { target: endpoints.length, parallelDials: endpoints.length })
    const counted = (): number => book.list.reduce((sum, { attempts }) => sum + attempts, 0)
    handle(joined('P'))
    for (const endpoint of endpoints.slice(0, STREAK)) handle(failed(endpoint))
    assert.equal(counted(), STREAK)
    const [next = '', other = '', last = ''] = endpoints.slice(STREAK)
    for (let nowMs = 0; nowMs < 10_000; nowMs += 500) handle(tick, nowMs)
    handle(failed(next), 10_000)
    assert.equal(counted(), STREAK)
    handle(greeted(other, 'Q'), 10_000)
    handle(failed(last), 10_000)
    assert.equal(counted(), STREAK + 1)
  })

  it('a refusal counts in any case: somebody was there', () => {
    for (const reason of ['version', 'plain', 'handshake'] as const) {
      const { book, handle } = setup([A])
      handle(tick)
      handle(refused(A, reason))
      assert.equal(book.get(A)?.attempts, 1, reason)
    }
  })

  it('another network, or this node itself: gone', () => {
    for (const reason of ['network', 'self'] as const) {
      const { book, handle } = setup([A])
      handle(tick)
      handle(refused(A, reason))
      assert.equal(book.get(A), undefined)
    }
  })

  it('a duplicate was reached', () => {
    const { book, handle } = setup([A, B])
    handle(tick)
    handle(refused(A, 'duplicate', 'P'), 5)
    assert.deepEqual([book.get(A)?.peer, book.get(A)?.lastSuccessMs], ['P', WALL_MS + 5])
    handle(greeted(B, 'Q'), 6)
  })

  it('that collisions are to be resolved, also while places are free', () => {
    const { book, handle } = setup([])
    handle(tick)
    handle(tick, 83_000)
    assert.equal(book.resolved, 0)
    handle(tick, 84_000)
    assert.equal(book.resolved, 1)
  })
})

describe('outbound connections when nobody answers', () => {
  const endpoints = Array.from({ length: 100 }, (_, n) => endpointIn(n))

  /** The first pause of an outage has begun. */
  function cutOff(): Setup {
    const parts = setup(endpoints)
    const waiting = parts.handle(tick)
    for (let failures = 0; failures < STREAK; failures++) {
      const endpoint = waiting.shift()?.replace('outbound ', '') ?? ''
      waiting.push(...parts.handle(failed(endpoint)))
      if (failures === STREAK - 1) assert.equal(waiting.at(-1), 'seek')
    }
    assert.deepEqual(parts.handle(tick, 874), [])
    return parts
  }

  it('make a pause, and ask for other sources', () => {
    const { handle } = cutOff()
    assert.equal(handle(tick, 875).length, 1)
  })

  it('go on at once when somebody comes in', () => {
    const { handle } = cutOff()
    assert.equal(handle(joined('P'), 874).length, 1)
  })

  it('ask for other sources soon when the last peer is lost, however long it had not helped before', () => {
    const { handle } = setup([A], { target: 2 })
    handle(tick)
    handle(greeted(A, 'P'))
    const seeks: number[] = []
    for (let nowMs = 0; nowMs < 1_000_000; nowMs += 1_000)
      if (handle(tick, nowMs).includes('seek')) seeks.push(nowMs)
    const lastMs = seeks.at(-1) ?? 0
    assert.ok(lastMs - (seeks.at(-2) ?? 0) > 300_000, seeks.join(' '))
    assert.ok(handle(closed('P'), 1_000_000).includes('seek'))
  })
})
