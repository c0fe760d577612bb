/**
 * The gate of one topic: a pure machine that holds each message until the upper layer has judged it.
 *
 *   message → [quick] → queued → asked → judged
 *
 * Rules:
 * - A message id is judged once. Copies that come by other peers meanwhile join it and share its fate; copies
 *   that come later are ignored (`core/seen.ts` remembers ids across all topics).
 * - Every ticket that comes in is settled exactly once: accept, ignore or reject. Why exactly once: gossip keeps
 *   an unsettled message in memory, and forwards an accepted one each time it is told to.
 * - A verdict is due `verdictTimeoutMs` after arrival. Then the message is settled as ignored, and its place in
 *   the upper layer counts as free, so that a handler that never returns cannot stop the topic. A verdict that
 *   comes later still decides delivery (`late`), but the message is not passed on. At most `overdueMax` such
 *   calls are waited for; beyond that the oldest is given up.
 * - At most `concurrency` handler calls are under way; what waits is bounded and fair (`fair-queue.ts`). A
 *   message that was dropped there has not been judged: if it comes again, it is a new message.
 * - With a quick verdict, that one settles the message, and the handler's decides delivery.
 * - A reject is blamed on every peer that sent a copy, also when it comes late: each of them vouched for it.
 *
 * `T` is what the caller wants back with an action: the message.
 */
import assert from 'node:assert/strict'
import type { Seen } from '../core/seen.ts'
import type { MessageKey, PeerId, Verdict } from '../core/types.ts'
import { FairQueue } from './fair-queue.ts'

export interface GateOptions {
  readonly verdictTimeoutMs: number
  readonly concurrency: number
  readonly queueMaxMessages: number
  readonly queueMaxBytes: number
  /** The topic has a `quickVerify`. */
  readonly isQuick: boolean
}

/** Who or what decided. `threw`: the upper layer failed. `hold`: it asked to wait, which is not supported yet. */
export type Reason = 'handler' | 'quick' | 'threw' | 'hold' | 'timeout' | 'overflow'

export type GateEvent<T> =
  | { type: 'message'; key: MessageKey; from: PeerId; ticket: string; sizeBytes: number; message: T }
  | { type: 'quick'; key: MessageKey; call: number; verdict: Verdict; reason: Reason }
  | { type: 'verdict'; key: MessageKey; call: number; verdict: Verdict; reason: Reason }
  | { type: 'tick' }
  | { type: 'close' }

export type GateAction<T> =
  | { type: 'askQuick'; key: MessageKey; call: number; message: T }
  | { type: 'ask'; key: MessageKey; call: number; message: T }
  | { type: 'settle'; ticket: string; from: PeerId; verdict: Verdict }
  | { type: 'blame'; peer: PeerId; message: T }
  /** Decided for good. `late`: the network was told `ignore` before. */
  | { type: 'judged'; message: T; verdict: Verdict; reason: Reason; late: boolean }
  /** The verdict was not there in time; `judged` follows when it comes or is given up. */
  | { type: 'overdue'; message: T }

/** How many senders of one undecided message are remembered for blame; further copies are ignored at once. */
export const SENDERS_MAX = 16

/** How many overdue handler calls are waited for, per topic. */
export const OVERDUE_MAX = 1_024

interface Entry<T> {
  readonly key: MessageKey
  readonly message: T
  readonly sizeBytes: number
  readonly senders: { readonly from: PeerId; readonly ticket: string }[]
  readonly dueAtMs: number
  /** The number of the last call to the upper layer, to tell its answer from those to earlier messages. */
  call: number
  state: 'quick' | 'queued' | 'asked' | 'overdue'
  isSettled: boolean
  isLate: boolean
}

export class Gate<T> {
  readonly #options: GateOptions
  readonly #seen: Seen
  readonly #entries = new Map<MessageKey, Entry<T>>()
  /** Entries that are not settled, in the order in which their verdicts are due. */
  readonly #due = new Map<MessageKey, Entry<T>>()
  readonly #overdue = new Map<MessageKey, Entry<T>>()
  readonly #queue: FairQueue<Entry<T>>
  #quickCount = 0
  #askedCount = 0
  #calls = 0

  constructor(options: GateOptions, seen: Seen) {
    this.#options = options
    this.#seen = seen
    this.#queue = new FairQueue({ maxItems: options.queueMaxMessages, maxBytes: options.queueMaxBytes })
  }

  /** Messages that wait for the handler. */
  get queuedCount(): number {
    return this.#queue.count
  }

  /** Whether a message has been judged or waits for it: it needs no second copy. */
  knows(key: MessageKey): boolean {
    return this.#seen.has(key) || this.#entries.has(key)
  }

  handle(event: GateEvent<T>, nowMs: number): GateAction<T>[] {
    const actions: GateAction<T>[] = []
    switch (event.type) {
      case 'message':
        this.#onMessage(event, nowMs, actions)
        break
      case 'quick':
        this.#onQuick(event, nowMs, actions)
        break
      case 'verdict':
        this.#onVerdict(event, nowMs, actions)
        break
      case 'tick':
        this.#onTick(nowMs, actions)
        break
      case 'close':
        this.#onClose(actions)
        break
    }
    return actions
  }

  #onMessage(
    event: Extract<GateEvent<T>, { type: 'message' }>,
    nowMs: number,
    actions: GateAction<T>[],
  ): void {
    const { key, from, ticket, sizeBytes, message } = event
    const known = this.#entries.get(key)
    if (known !== undefined && !known.isSettled && known.senders.length < SENDERS_MAX) {
      known.senders.push({ from, ticket })
      return
    }
    if (known !== undefined || this.#seen.has(key)) {
      actions.push({ type: 'settle', ticket, from, verdict: 'ignore' })
      return
    }
    const entry: Entry<T> = {
      key,
      message,
      sizeBytes,
      senders: [{ from, ticket }],
      dueAtMs: nowMs + this.#options.verdictTimeoutMs,
      call: 0,
      state: 'queued',
      isSettled: false,
      isLate: false,
    }
    this.#entries.set(key, entry)
    this.#due.set(key, entry)
    if (!this.#options.isQuick) this.#enqueue(entry, actions)
    else if (this.#quickCount < this.#options.queueMaxMessages) this.#askQuick(entry, actions)
    else this.#drop(entry, actions)
  }

  #askQuick(entry: Entry<T>, actions: GateAction<T>[]): void {
    entry.state = 'quick'
    entry.call = ++this.#calls
    this.#quickCount++
    actions.push({ type: 'askQuick', key: entry.key, call: entry.call, message: entry.message })
  }

  #onQuick(event: Extract<GateEvent<T>, { type: 'quick' }>, nowMs: number, actions: GateAction<T>[]): void {
    const entry = this.#entries.get(event.key)
    if (entry === undefined || entry.call !== event.call || entry.state !== 'quick') return
    this.#quickCount--
    if (event.verdict !== 'accept') return this.#judge(entry, event, nowMs, actions)
    this.#settle(entry, 'accept', actions)
    this.#enqueue(entry, actions)
  }

  #enqueue(entry: Entry<T>, actions: GateAction<T>[]): void {
    if (this.#askedCount < this.#options.concurrency && this.#queue.count === 0)
      return this.#ask(entry, actions)
    entry.state = 'queued'
    const [first] = entry.senders
    assert.ok(first !== undefined, 'a message without a sender')
    for (const dropped of this.#queue.push(first.from, entry, entry.sizeBytes)) this.#drop(dropped, actions)
  }

  #ask(entry: Entry<T>, actions: GateAction<T>[]): void {
    entry.state = 'asked'
    entry.call = ++this.#calls
    this.#askedCount++
    actions.push({ type: 'ask', key: entry.key, call: entry.call, message: entry.message })
  }

  #onVerdict(
    event: Extract<GateEvent<T>, { type: 'verdict' }>,
    nowMs: number,
    actions: GateAction<T>[],
  ): void {
    const entry = this.#entries.get(event.key)
    if (entry === undefined || entry.call !== event.call) return
    if (entry.state !== 'asked' && entry.state !== 'overdue') return
    if (entry.state === 'asked') this.#askedCount--
    this.#judge(entry, event, nowMs, actions)
    this.#pump(actions)
  }

  #pump(actions: GateAction<T>[]): void {
    while (this.#askedCount < this.#options.concurrency) {
      const next = this.#queue.shift()
      if (next === undefined) return
      this.#ask(next, actions)
    }
  }

  #judge(
    entry: Entry<T>,
    { verdict, reason }: { verdict: Verdict; reason: Reason },
    nowMs: number,
    actions: GateAction<T>[],
  ): void {
    this.#settle(entry, verdict, actions)
    if (verdict === 'reject') {
      const peers = new Set(entry.senders.map(sender => sender.from))
      for (const peer of peers) actions.push({ type: 'blame', peer, message: entry.message })
    }
    this.#forget(entry)
    this.#seen.add(entry.key, nowMs)
    actions.push({ type: 'judged', message: entry.message, verdict, reason, late: entry.isLate })
  }

  /** Tells gossip, once: the first sender's copy is passed on, the others were only waiting for the verdict. */
  #settle(entry: Entry<T>, verdict: Verdict, actions: GateAction<T>[]): void {
    if (entry.isSettled) return
    entry.isSettled = true
    this.#due.delete(entry.key)
    for (const [index, { from, ticket }] of entry.senders.entries()) {
      actions.push({
        type: 'settle',
        ticket,
        from,
        verdict: verdict === 'accept' && index > 0 ? 'ignore' : verdict,
      })
    }
  }

  #drop(entry: Entry<T>, actions: GateAction<T>[]): void {
    this.#settle(entry, 'ignore', actions)
    this.#forget(entry)
    actions.push({
      type: 'judged',
      message: entry.message,
      verdict: 'ignore',
      reason: 'overflow',
      late: entry.isLate,
    })
  }

  #forget(entry: Entry<T>): void {
    this.#entries.delete(entry.key)
    this.#overdue.delete(entry.key)
  }

  #onTick(nowMs: number, actions: GateAction<T>[]): void {
    for (const entry of this.#due.values()) {
      if (entry.dueAtMs > nowMs) break
      entry.isLate = true
      this.#settle(entry, 'ignore', actions)
      actions.push({ type: 'overdue', message: entry.message })
      if (entry.state === 'asked') this.#release(entry, nowMs, actions)
      if (entry.state === 'quick') {
        // Whether it goes on is decided by now; whether it is delivered, the handler alone can say.
        this.#quickCount--
        this.#enqueue(entry, actions)
      }
    }
    this.#pump(actions)
  }

  #release(entry: Entry<T>, nowMs: number, actions: GateAction<T>[]): void {
    entry.state = 'overdue'
    this.#askedCount--
    this.#overdue.set(entry.key, entry)
    if (this.#overdue.size <= OVERDUE_MAX) return
    for (const oldest of this.#overdue.values()) {
      this.#judge(oldest, { verdict: 'ignore', reason: 'timeout' }, nowMs, actions)
      return
    }
  }

  #onClose(actions: GateAction<T>[]): void {
    for (const entry of this.#entries.values()) this.#settle(entry, 'ignore', actions)
    this.#entries.clear()
    this.#overdue.clear()
    this.#queue.drain()
    this.#quickCount = 0
    this.#askedCount = 0
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    const entries = [...this.#entries.values()]
    const count = (state: Entry<T>['state']): number => entries.filter(entry => entry.state === state).length
    this.#queue.check()
    assert.equal(count('queued'), this.#queue.count)
    assert.equal(count('asked'), this.#askedCount)
    assert.equal(count('quick'), this.#quickCount)
    assert.equal(count('overdue'), this.#overdue.size)
    assert.ok(this.#askedCount <= this.#options.concurrency && this.#overdue.size <= OVERDUE_MAX)
    assert.ok(this.#askedCount === this.#options.concurrency || this.#queue.count === 0, 'the handler idles')
    assert.deepEqual(new Set(this.#due.keys()), new Set(entries.filter(e => !e.isSettled).map(e => e.key)))
    assert.ok(
      entries.every(entry => !this.#seen.has(entry.key)),
      'a judged message is judged again',
    )
  }
}
