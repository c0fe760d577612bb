/**
 * The exchange under random events, beside a ledger: what was asked, told and taken, kept in plain words and sums.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isRoutable, parseEndpoint } from '../../src/core/endpoint.ts'
import { Exchange, type ExchangeAction, type ExchangeEvent } from '../../src/peers/exchange.ts'
import { QUESTION_FRAME } from '../../src/peers/exchange-message.ts'
import { forRandomEvents } from '../fixtures/random-runs.ts'
import { Book, entries, frameOf, manyReached, reachedAt, replied, WALL_MS } from './exchange-setup.ts'

const PEERS = ['R0', 'R1', 'Q', 'S']

const BAD = { ip: Uint8Array.of(10, 0, 0, 1), port: 9_000, lastSuccessS: 1 }
const OURS = { ip: Uint8Array.of(60, 9, 0, 1), port: 9_000, lastSuccessS: 1 }

/** Frames by what is wrong with them. */
const ANSWERS = {
  none: undefined,
  empty: new Uint8Array(0),
  few: frameOf(entries(20), 10),
  full: frameOf(entries(250), 600),
  greedy: frameOf(entries(250), 0),
  excess: frameOf(entries(251), 10),
  cut: frameOf(entries(3)).subarray(0, 20),
  mixed: frameOf([...entries(5), BAD, OURS, BAD], 10),
}
const QUESTIONS = { good: QUESTION_FRAME, unsolicited: frameOf(entries(2)), cut: Uint8Array.of(8) }

/** How many addresses each answer offers, in order until the first bad one, and how many in all. */
const SIZES: Partial<Record<keyof typeof ANSWERS, [good: number, all: number]>> = {
  few: [20, 20],
  full: [250, 250],
  greedy: [250, 250],
  mixed: [5, 8],
}

interface Account {
  isAsked: boolean
  isAsking: boolean
  askAtMs: number
  wholeGrantAtMs: number
  /** Thousandths of tokens, and when they were counted. */
  milli: number
  countedAtMs: number
  isTold: boolean
}

class Ledger {
  readonly accounts = new Map<string, Account>()
  /** Until when whoever was answered was told to wait, and for how long. */
  readonly pauses = new Map<string, { untilMs: number; pauseMs: number }>()
  ignored = 0

  /** Time fills up to 250 tokens, one every ten seconds; all times of these runs are multiples of 10 ms. */
  count(account: Account, nowMs: number): void {
    const room = Math.max(0, 250_000 - account.milli)
    account.milli += Math.min(room, (nowMs - account.countedAtMs) / 10)
    account.countedAtMs = nowMs
  }

  asked(account: Account, nowMs: number): void {
    assert.ok(account.isAsked && !account.isAsking && nowMs >= account.askAtMs)
    this.count(account, nowMs)
    const isWhole = nowMs - account.wholeGrantAtMs >= 600_000
    if (isWhole) account.wholeGrantAtMs = nowMs
    account.milli = Math.min(500_000, account.milli + (isWhole ? 250_000 : 32_000))
    account.isAsking = true
  }
}

const step = fc.record({
  waitMs: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(0, 0, 10, 500, 10_000) },
    { weight: 1, arbitrary: fc.nat({ max: 80_000 }).map(tens => tens * 10) },
  ),
  peer: fc.constantFrom(...PEERS),
  what: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('inbound', 'outbound', 'manual') },
    { weight: 1, arbitrary: fc.constantFrom('closed', 'ban', 'grow') },
    { weight: 5, arbitrary: fc.constantFrom('tick', 'request') },
    { weight: 5, arbitrary: fc.constantFrom('answer') },
  ),
  question: fc.constantFrom<keyof typeof QUESTIONS>('good', 'good', 'good', 'unsolicited', 'cut'),
  answer: fc.constantFrom(...(Object.keys(ANSWERS) as (keyof typeof ANSWERS)[])),
})

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function eventOf({ what, peer, question, answer }: Step): ExchangeEvent {
  switch (what) {
    case 'closed':
      return { type: 'closed', peer }
    case 'request':
      return { type: 'request', peer, frame: QUESTIONS[question] }
    case 'answer':
      return { type: 'answer', peer, frame: ANSWERS[answer] }
    case 'inbound':
    case 'outbound':
    case 'manual': {
      const direction = what === 'outbound' ? 'outbound' : 'inbound'
      return { type: 'greeted', peer, direction, ip: '203.0.113.7', isManual: what === 'manual' }
    }
    default:
      return { type: 'tick' }
  }
}

describe('the exchange under random events', () => {
  it('keeps its accounts, and tells only what it may', () => {
    const counts: Record<string, number> = {}
    forRandomEvents(step, { runs: 150, most: 150 }, steps => {
      const book = new Book([...manyReached(20), reachedAt('10.0.0.9:9000', 'private')])
      book.ours.add('60.9.0.1:9000')
      const exchange = new Exchange(book)
      const ledger = new Ledger()
      let nowMs = 0
      for (const each of steps) {
        nowMs += each.waitMs
        if (each.what === 'grow')
          book.entries = [...manyReached(Math.min(2_000, book.entries.length * 2)), ...book.entries.slice(-1)]
        if (each.what === 'ban') book.banned.add(book.entries[nowMs % book.entries.length]?.endpoint ?? '')
        const event = eventOf(each)
        const actions = exchange.handle(event, nowMs, WALL_MS + nowMs)
        exchange.check()
        verify(ledger, each, event, actions, nowMs)
        for (const action of actions) {
          if (action.type === 'reply') checkReply(book, action, nowMs)
          const kind = action.type === 'offence' ? action.offence : action.type
          counts[kind] = (counts[kind] ?? 0) + 1
        }
        assert.equal(exchange.ignored, ledger.ignored)
      }
    })
    const kinds = ['ask', 'reply', 'learn'].concat(
      ['too-soon', 'too-many', 'unsolicited', 'malformed', 'bad-address'].map(kind => `exchange-${kind}`),
    )
    for (const kind of kinds) assert.ok((counts[kind] ?? 0) > 50, `${kind}: ${counts[kind]}`)
  })
})

/** Compares what was done with what the rules say, in another way than the machine finds it. */
function verify(
  ledger: Ledger,
  each: Step,
  event: ExchangeEvent,
  actions: ExchangeAction[],
  nowMs: number,
): void {
  const { accounts } = ledger
  const account = accounts.get(each.peer)
  const kinds = actions.map(action => (action.type === 'offence' ? action.offence : action.type))
  switch (event.type) {
    case 'greeted': {
      if (account !== undefined) return assert.deepEqual(kinds, [])
      const isAsked = event.direction === 'outbound' || event.isManual
      const opened: Account = {
        isAsked,
        isAsking: false,
        askAtMs: nowMs,
        wholeGrantAtMs: -600_000,
        milli: 0,
        countedAtMs: nowMs,
        isTold: false,
      }
      accounts.set(each.peer, opened)
      assert.deepEqual(kinds, isAsked ? ['ask'] : [])
      if (isAsked) ledger.asked(opened, nowMs)
      return
    }
    case 'closed':
      accounts.delete(each.peer)
      return assert.deepEqual(kinds, [])
    case 'tick': {
      const due = [...accounts].filter(([, it]) => it.isAsked && !it.isAsking && it.askAtMs <= nowMs)
      assert.deepEqual(
        actions.map(action => action.type === 'ask' && action.peer),
        due.map(([peer]) => peer),
      )
      for (const [, other] of due) ledger.asked(other, nowMs)
      return
    }
    case 'request':
      return assert.deepEqual(kinds, requestKinds(ledger, each, account, actions, nowMs))
    case 'answer':
      return assert.deepEqual(kinds, answerKinds(ledger, each, account, actions, nowMs))
  }
}

function requestKinds(
  { pauses }: Ledger,
  each: Step,
  account: Account | undefined,
  actions: ExchangeAction[],
  nowMs: number,
): string[] {
  if (account === undefined) return []
  if (each.question === 'unsolicited') return ['exchange-unsolicited']
  if (each.question === 'cut') return ['exchange-malformed']
  const pause = pauses.get(each.peer)
  const isSoon = pause !== undefined && nowMs < pause.untilMs - pause.pauseMs / 10
  if (isSoon && account.isTold) return ['exchange-too-soon']
  account.isTold = true
  const answer = replied(actions)
  if (isSoon) {
    assert.deepEqual(answer, { told: [], retryAfterS: Math.ceil((pause.untilMs - nowMs) / 1_000) })
  } else {
    const pauseMs = (answer?.retryAfterS ?? 0) * 1_000
    assert.ok(pauseMs === 10_000 || pauseMs === 600_000)
    pauses.set(each.peer, { untilMs: nowMs + pauseMs, pauseMs })
  }
  return ['reply']
}

function answerKinds(
  ledger: Ledger,
  each: Step,
  account: Account | undefined,
  actions: ExchangeAction[],
  nowMs: number,
): string[] {
  if (account === undefined || !account.isAsking) return []
  account.isAsking = false
  account.askAtMs = nowMs + 600_000
  if (each.answer === 'excess') return ['exchange-too-many']
  if (each.answer === 'cut') return ['exchange-malformed']
  const size = SIZES[each.answer]
  if (size === undefined) return []
  const [good, all] = size
  ledger.count(account, nowMs)
  const taken = Math.min(all, Math.floor(account.milli / 1_000))
  account.milli -= taken * 1_000
  ledger.ignored += all - taken
  const isBlamed = taken > good
  if (!isBlamed && each.answer !== 'full') account.askAtMs = nowMs + 10_000
  const learned = Math.min(good, taken)
  const [learn] = actions
  assert.equal(learn?.type === 'learn' ? learn.heard.length : 0, learned)
  return [...(learned > 0 ? ['learn'] : []), ...(isBlamed ? ['exchange-bad-address'] : [])]
}

function checkReply(book: Book, action: ExchangeAction & { type: 'reply' }, nowMs: number): void {
  const { told } = replied([action]) ?? { told: [] }
  const known = new Map(book.entries.map(entry => [entry.endpoint, entry]))
  assert.ok(told.length <= Math.min(250, Math.max(32, book.entries.length * 0.23)))
  assert.equal(new Set(told.map(({ endpoint }) => endpoint)).size, told.length)
  for (const { endpoint = '', lastSuccessS } of told) {
    const entry = known.get(endpoint)
    assert.ok(entry !== undefined && entry.peer !== action.peer, `${endpoint} at ${nowMs}`)
    assert.ok(isRoutable(parseEndpoint(endpoint)?.ip ?? '') && !book.banned.has(endpoint))
    assert.ok(lastSuccessS % 600 === 0 && entry.lastSuccessMs / 1_000 - lastSuccessS < 600)
  }
}
