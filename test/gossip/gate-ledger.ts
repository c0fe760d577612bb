/**
 * The promises of a gate as a book-keeper sees them: it looks at events and actions only, knows nothing of places,
 * queues and times, and complains when a promise is broken.
 *
 * - Every ticket is settled exactly once, with the sender that brought it; what is not settled is pending.
 * - The network's verdict on a message is told exactly once (`settled`), before its first ticket is settled, and its
 *   first 16 copies agree with it: with an accept the first one is accepted, if it has a ticket, the others are ignored.
 *   Nothing is judged, and the gate does not close, before that. What was vouched for is accepted at once.
 * - The handler is asked at most once per message while its id is remembered, unless it was dropped unjudged.
 * - At most one copy of a message is accepted: it is passed on once.
 * - A reject of what was not passed on is blamed on exactly the peers that sent the first 16 copies, and nothing
 *   else is blamed on anybody.
 * - A delivery is late when the network was told `ignore` before, and only then.
 */
import assert from 'node:assert/strict'
import type { Verdict } from '../../src/core/types.ts'
import type { GateAction, GateEvent } from '../../src/gossip/gate.ts'

interface Copy {
  readonly from: string
  readonly key: string
  /** It came before the settlement, and among the first 16: it shares the message's fate. */
  readonly isSharing: boolean
}

/** What is known of a message from its first copy until it is judged. */
interface Life {
  readonly senders: string[]
  /** The ticket of the first copy, if it came by gossip. */
  readonly firstTicket: string | undefined
  settled: Verdict | undefined
  asks: number
  quickAsks: number
}

export class GateLedger {
  readonly #seenTtlMs: number
  readonly #pending = new Map<string, Copy>()
  readonly #lives = new Map<string, Life>()
  readonly #judgedAtMs = new Map<string, number>()

  constructor(seenTtlMs: number) {
    this.#seenTtlMs = seenTtlMs
  }

  /** Tickets that are not settled. */
  get pending(): number {
    return this.#pending.size
  }

  /** An id became known without the gate. */
  markSeen(key: string, nowMs: number): void {
    this.#judgedAtMs.set(key, nowMs)
  }

  /**
   * Notes what came in and what came out of it.
   * @param keyOf the key of the message in an action
   * @param wasKnown what the gate said to the key of a message before it came (`knows`)
   */
  note(
    event: GateEvent<string>,
    actions: readonly GateAction<string>[],
    keyOf: (message: string) => string,
    wasKnown: boolean,
    nowMs: number,
  ): void {
    const isNew = event.type === 'message' && this.#onMessage(event)
    if (isNew) this.#checkMemory(event, actions, wasKnown, nowMs)
    const blamed = new Map<string, string[]>()
    for (const action of actions) {
      if (action.type === 'settle') this.#onSettle(action)
      if (action.type === 'settled') this.#onSettled(action, keyOf(action.message))
      if (action.type === 'ask') this.#lifeOf(action.key).asks++
      if (action.type === 'askQuick') this.#lifeOf(action.key).quickAsks++
      if (action.type === 'blame') {
        const key = keyOf(action.message)
        blamed.set(key, [...(blamed.get(key) ?? []), action.peer])
      }
      if (action.type === 'judged') this.#onJudged(action, keyOf(action.message), blamed, nowMs)
    }
    assert.equal(blamed.size, 0, 'blame without a reject')
    for (const { asks, quickAsks } of this.#lives.values())
      assert.ok(asks <= 1 && quickAsks <= 1, 'asked twice')
    if (isNew && event.isVouched === true && !wasKnown) {
      const settled = actions.find(action => action.type === 'settled')
      assert.equal(settled?.verdict, 'accept', 'what was vouched for does not go on')
    }
    if (event.type === 'close') {
      assert.equal(this.pending, 0, 'a ticket was forgotten at the end')
      for (const [key, { settled }] of this.#lives) assert.ok(settled !== undefined, `${key} has no end`)
      this.#lives.clear()
    }
  }

  /** Whether it is the first copy of a message, or of one that may be remembered. */
  #onMessage({ key, from, ticket }: Extract<GateEvent<string>, { type: 'message' }>): boolean {
    const life = this.#lives.get(key)
    const isSharing = life === undefined || (life.settled === undefined && life.senders.length < 16)
    if (ticket !== undefined) this.#pending.set(ticket, { from, key, isSharing })
    if (life !== undefined) life.senders.push(from)
    else
      this.#lives.set(key, {
        senders: [from],
        firstTicket: ticket,
        settled: undefined,
        asks: 0,
        quickAsks: 0,
      })
    return life === undefined
  }

  /** For one lifetime an id is remembered for sure; after two it is forgotten for sure. */
  #checkMemory(
    { key, ticket }: Extract<GateEvent<string>, { type: 'message' }>,
    actions: readonly GateAction<string>[],
    isRemembered: boolean,
    nowMs: number,
  ): void {
    const ageMs = nowMs - (this.#judgedAtMs.get(key) ?? Number.NEGATIVE_INFINITY)
    assert.ok(
      isRemembered ? ageMs < 2 * this.#seenTtlMs : ageMs >= this.#seenTtlMs,
      `${key} after ${ageMs} ms`,
    )
    if (!isRemembered) return
    this.#lives.delete(key)
    const told = actions.map(action => (action.type === 'settle' ? action.verdict : action.type))
    assert.deepEqual(told, ticket === undefined ? [] : ['ignore'], `${key} is known`)
  }

  #onSettle({ ticket, from, verdict }: Extract<GateAction<string>, { type: 'settle' }>): void {
    const copy = this.#pending.get(ticket)
    assert.ok(copy !== undefined, `${ticket} is settled twice, or was never there`)
    assert.equal(from, copy.from)
    this.#pending.delete(ticket)
    const life = this.#lives.get(copy.key)
    if (life === undefined)
      return assert.equal(verdict, 'ignore', 'a copy of a judged message is not ignored')
    if (!copy.isSharing) return assert.equal(verdict, 'ignore', `${ticket} came too late`)
    assert.ok(life.settled !== undefined, `${ticket} is settled before its message`)
    const isFurther = life.settled === 'accept' && ticket !== life.firstTicket
    assert.equal(verdict, isFurther ? 'ignore' : life.settled, ticket)
  }

  #onSettled({ key, verdict }: Extract<GateAction<string>, { type: 'settled' }>, ofMessage: string): void {
    assert.equal(key, ofMessage)
    const life = this.#lifeOf(key)
    assert.equal(life.settled, undefined, `${key} is settled twice`)
    life.settled = verdict
  }

  #onJudged(
    action: Extract<GateAction<string>, { type: 'judged' }>,
    key: string,
    blamed: Map<string, string[]>,
    nowMs: number,
  ): void {
    const { verdict, reason, late } = action
    const life = this.#lifeOf(key)
    assert.ok(life.settled !== undefined, 'judged, but not settled')
    const isBlamed = verdict === 'reject' && life.settled !== 'accept'
    const guilty = isBlamed ? [...new Set(life.senders.slice(0, 16))] : []
    assert.deepEqual((blamed.get(key) ?? []).toSorted(), guilty.toSorted())
    blamed.delete(key)
    if (verdict === 'accept') {
      assert.equal(life.asks, 1, 'delivered without asking')
      assert.equal(late, life.settled !== 'accept', 'late is what was not passed on')
    }
    assert.ok(![...this.#pending.values()].some(copy => copy.key === key), 'judged, but not settled')
    this.#lives.delete(key)
    if (reason !== 'overflow') this.#judgedAtMs.set(key, nowMs)
  }

  /** What happens to a message happens between its first copy and its end. */
  #lifeOf(key: string): Life {
    const life = this.#lives.get(key)
    assert.ok(life !== undefined, `${key} is not there, or was judged before`)
    return life
  }
}
