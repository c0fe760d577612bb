/**
 * The book-keeper of the asking side: what it was told and what it did, and what it has promised of that (`asks.ts`).
 * It asserts:
 * - each ticket is settled once, `accept` only when all its items were accepted and have the sizes that it claims, and
 *   at least one of them was not accepted when it came;
 * - only what is accepted is announced, with its true size, and each acceptance is announced anew at most once;
 * - a message is asked of one peer at a time, of one that is there and has said that it has it;
 * - it is delivered once until its verdict, and only what somebody had;
 * - who answers everything in time is never blamed, and an accepted message that was delivered is always carried on.
 */
import assert from 'node:assert/strict'
import type { MessageKey, PeerId } from '../../src/core/types.ts'
import type { AnnouncedItem } from '../../src/gossip/announcement.ts'
import type { AsksAction, AsksEvent, Standing } from '../../src/gossip/asks.ts'

/** Before this an ask must not be repeated, unless its peer is gone or lacks it. */
const ASK_MS = 500

interface Ticket {
  readonly from: PeerId
  readonly items: readonly AnnouncedItem[]
  /** One of them was not accepted yet. */
  readonly isNew: boolean
}

export class AsksLedger {
  readonly standings = new Map<MessageKey, Standing>()
  readonly #sizeOf: (key: MessageKey) => number
  readonly #honest: PeerId
  readonly #tickets = new Map<string, Ticket>()
  readonly #holders = new Map<MessageKey, Set<PeerId>>()
  /** Those that have gone and said nothing since. */
  readonly #gone = new Set<PeerId>()
  readonly #asked = new Map<MessageKey, { peer: PeerId; atMs: number }>()
  readonly #delivered = new Set<MessageKey>()
  /** Accepted after we delivered it, and carried by nothing yet. */
  readonly #toCarry = new Set<MessageKey>()
  readonly #announced = new Set<MessageKey>()

  constructor(sizeOf: (key: MessageKey) => number, honest: PeerId) {
    this.#sizeOf = sizeOf
    this.#honest = honest
  }

  get unsettled(): number {
    return this.#tickets.size
  }

  get uncarried(): readonly MessageKey[] {
    return [...this.#toCarry]
  }

  note(event: AsksEvent, actions: readonly AsksAction[], nowMs: number): void {
    this.#noteEvent(event)
    for (const action of actions) this.#noteAction(action, event, nowMs)
  }

  #noteEvent(event: AsksEvent): void {
    switch (event.type) {
      case 'announced':
        if (event.ticket !== undefined) {
          const isNew = event.items.some(({ key }) => this.standings.get(key) !== 'accepted')
          this.#tickets.set(event.ticket, { ...event, isNew })
        }
        for (const { key } of event.items) this.#hold(key, event.from)
        break
      case 'echoed':
        for (const { key } of event.items) this.#hold(key, event.from)
        break
      case 'wanted':
        for (const key of event.keys) this.#hold(key, event.from)
        break
      case 'payload':
        // Of whomever it was asked: it is there, or too large.
        if (this.#holders.get(event.key)?.has(event.from)) this.#asked.delete(event.key)
        break
      case 'lacked':
        for (const key of event.keys) this.#endAsk(key, event.from)
        break
      case 'gone':
        for (const key of this.#holders.keys()) this.#endAsk(key, event.peer)
        this.#gone.add(event.peer)
        break
      case 'settled':
        this.#asked.delete(event.key)
        this.#announced.delete(event.key)
        if (this.#delivered.delete(event.key) && event.verdict === 'accept') this.#toCarry.add(event.key)
        break
      case 'close':
        this.#toCarry.clear()
        this.#delivered.clear()
        this.#asked.clear()
        break
    }
  }

  #noteAction(action: AsksAction, event: AsksEvent, nowMs: number): void {
    switch (action.type) {
      case 'ask':
        for (const key of action.keys) this.#noteAsk(key, action.peer, nowMs)
        break
      case 'deliver':
        assert.ok(event.type === 'payload' && event.key === action.key && event.from === action.from)
        assert.ok(!this.#delivered.has(action.key), 'delivered twice')
        assert.ok(
          this.#holders.get(action.key)?.has(action.from),
          'delivered from one that nobody knew to have it',
        )
        this.#delivered.add(action.key)
        this.#asked.delete(action.key)
        break
      case 'settle':
        this.#noteSettle(action)
        break
      case 'announce': {
        const { key, sizeBytes } = action.item
        assert.equal(this.standings.get(key), 'accepted', 'announces what is not accepted')
        assert.equal(sizeBytes, this.#sizeOf(key))
        assert.ok(!this.#announced.has(key), 'announced anew twice')
        this.#announced.add(key)
        this.#toCarry.delete(key)
        break
      }
      case 'offence':
        assert.notEqual(
          action.peer,
          this.#honest,
          `an honest peer is blamed: ${action.offence} ${action.detail}`,
        )
        break
    }
  }

  #noteAsk(key: MessageKey, peer: PeerId, nowMs: number): void {
    const before = this.#asked.get(key)
    assert.ok(before === undefined || nowMs - before.atMs >= ASK_MS, 'asked of two at once')
    assert.ok(this.#holders.get(key)?.has(peer), 'asked of one that has not said that it has it')
    assert.ok(!this.#gone.has(peer), 'asked of one that is gone')
    assert.ok(!this.#delivered.has(key), 'asked for what is being judged')
    this.#asked.set(key, { peer, atMs: nowMs })
  }

  #noteSettle({ ticket, from, verdict }: Extract<AsksAction, { type: 'settle' }>): void {
    const known = this.#tickets.get(ticket)
    assert.ok(known !== undefined, `${ticket} is settled twice`)
    assert.equal(from, known.from)
    this.#tickets.delete(ticket)
    assert.notEqual(verdict, 'reject')
    if (verdict !== 'accept') return
    assert.ok(known.isNew, 'goes on with nothing new')
    for (const { key, sizeBytes } of known.items) {
      assert.equal(this.standings.get(key), 'accepted', 'goes on with what is not accepted')
      assert.equal(sizeBytes, this.#sizeOf(key), 'goes on with a false size')
      this.#toCarry.delete(key)
    }
  }

  #hold(key: MessageKey, peer: PeerId): void {
    this.#gone.delete(peer)
    const holders = this.#holders.get(key)
    if (holders === undefined) this.#holders.set(key, new Set([peer]))
    else holders.add(peer)
  }

  #endAsk(key: MessageKey, peer: PeerId): void {
    if (this.#asked.get(key)?.peer === peer) this.#asked.delete(key)
  }
}
