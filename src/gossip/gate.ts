/**
 * The gate of one topic: a pure machine that holds each message until the upper layer has judged it.
 *
 *   message → [quick] → queued → asked → judged
 *
 * Rules:
 * - A message id is judged once. Copies that come meanwhile join it and share its fate, those after its
 *   settlement and those beyond `SENDERS_MAX` are ignored; so are copies that come later (`core/seen.ts`
 *   remembers ids across all topics).
 * - Every ticket that comes in is settled exactly once: accept, ignore or reject. Why exactly once: gossip keeps
 *   an unsettled message in memory, and forwards an accepted one each time it is told to.
 * - A verdict is due `verdictTimeoutMs` after arrival. Then the message is settled as ignored. A verdict that
 *   comes later still decides delivery (`late`), but the message is not passed on.
 * - At most `concurrency` handler calls are under way; what waits is bounded and fair (`fair-queue.ts`). A
 *   message that was dropped there has not been judged: if it comes again, it is a new message.
 * - A handler call holds its place for `verdictTimeoutMs`. Then the place counts as free, so that a handler that
 *   never returns cannot stop the topic. Why from the call on and not from the arrival: what has waited long in
 *   the queue, or has its quick verdict, is no longer due, and its call could hold the place for ever. At most
 *   `OVERDUE_MAX` such calls are waited for, with payloads of `queueMaxBytes` together; beyond that the oldest is
 *   given up. Why bytes as well: each of them keeps its payload in memory.
 * - With a quick verdict, that one settles the message, and the handler's decides delivery; an ignore or reject
 *   there is final. As much may wait for quick verdicts as for the handler; what comes beyond it is dropped. One
 *   that is not there when it is due decides nothing any more: then the handler is asked.
 * - A copy that did not come by gossip has no ticket. What travels in other ways learns of the verdict by `settled`.
 * - A message whose header was vouched for before its payload came (a swarm) is settled as accepted at once.
 * - A reject is blamed on every peer that sent a copy until then, `SENDERS_MAX` copies at most, also when it comes
 *   late: each of them vouched for it. A reject by the handler after a quick accept blames nobody: an honest relay
 *   has vouched for the quick verdict only. Otherwise one peer, with messages that pass the quick verdict and fail
 *   the handler, could make all honest nodes drop each other.
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

/** Who or what decided. `threw`: the upper layer failed. `hold`: it waits for others, and will be judged again. */
export type Reason = 'handler' | 'quick' | 'threw' | 'hold' | 'timeout' | 'overflow'

export type GateEvent<T> =
  | {
      type: 'message'
      key: MessageKey
      from: PeerId
      /** How gossip knows this copy; undefined for one that did not come by gossip. */
      ticket: string | undefined
      sizeBytes: number
      message: T
      /** Its header had a quick verdict before the payload was there: as if that had been the quick verdict. */
      isVouched?: boolean
    }
  | { type: 'quick'; key: MessageKey; call: number; verdict: Verdict; reason: Reason }
  | { type: 'verdict'; key: MessageKey; call: number; verdict: Verdict; reason: Reason }
  | { type: 'tick' }
  | { type: 'close' }

export type GateAction<T> =
  | { type: 'askQuick'; key: MessageKey; call: number; message: T }
  | { type: 'ask'; key: MessageKey; call: number; message: T }
  /** The network's verdict on a message, once, before its tickets are settled. */
  | { type: 'settled'; key: MessageKey; message: T; verdict: Verdict }
  | { type: 'settle'; ticket: string; from: PeerId; verdict: Verdict }
  | { type: 'blame'; peer: PeerId; message: T }
  /** Decided for good. `late`: the network was told `ignore` before. */
  | { type: 'judged'; message: T; verdict: Verdict; reason: Reason; late: boolean }
  /** The verdict was not there in time; `judged` follows when it comes or is given up. */
  | { type: 'overdue'; message: T }

/** How many copies of one undecided message are remembered with their senders; further ones are ignored at once. */
export const SENDERS_MAX = 16

/** How many handler calls that have lost their place are waited for, per topic; `queueMaxBytes` bounds them, too. */
export const OVERDUE_MAX = 1_024

interface Entry<T> {
  readonly key: MessageKey
  readonly message: T
  readonly sizeBytes: number
  readonly senders: { readonly from: PeerId; readonly ticket: string | undefined }[]
  readonly dueAtMs: number
  /** Until when a handler call that is under way holds its place. */
  placeUntilMs: number
  /** The number of the last call to the upper layer, to tell its answer from those to earlier messages. */
  call: number
  state: 'quick' | 'queued' | 'asked' | 'overdue'
  isSettled: boolean
  isLate: boolean
  /** The quick verdict was accept: the message has left, and its senders have done nothing wrong. */
  isQuickAccepted: boolean
}

export class Gate<T> {
  readonly #options: GateOptions
  readonly #seen: Seen
  readonly #entries = new Map<MessageKey, Entry<T>>()
  /** Entries that are not settled, in the order in which their verdicts are due. */
  readonly #due = new Map<MessageKey, Entry<T>>()
  /** Handler calls that hold a place, in the order in which they lose it. */
  readonly #asked = new Map<MessageKey, Entry<T>>()
  /** Handler calls that have lost their place and are waited for, in the order in which they lost it. */
  readonly #overdue = new Map<MessageKey, Entry<T>>()
  readonly #queue: FairQueue<Entry<T>>
  #quickCount = 0
  #quickBytes = 0
  #overdueBytes = 0
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
  knows(key: MessageKey, nowMs: number): boolean {
    return this.#seen.has(key, nowMs) || this.#entries.has(key)
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
    if (known !== undefined && known.senders.length < SENDERS_MAX) {
      known.senders.push({ from, ticket })
      if (!known.isSettled) return
    }
    if (known !== undefined || this.#seen.has(key, nowMs)) {
      if (ticket !== undefined) actions.push({ type: 'settle', ticket, from, verdict: 'ignore' })
      return
    }
    const entry: Entry<T> = {
      key,
      message,
      sizeBytes,
      senders: [{ from, ticket }],
      dueAtMs: nowMs + this.#options.verdictTimeoutMs,
      placeUntilMs: 0,
      call: 0,
      state: 'queued',
      isSettled: false,
      isLate: false,
      isQuickAccepted: event.isVouched === true,
    }
    this.#entries.set(key, entry)
    this.#due.set(key, entry)
    if (entry.isQuickAccepted) this.#settle(entry, 'accept', actions)
    if (this.#options.isQuick && !entry.isQuickAccepted) this.#askQuick(entry, actions)
    else this.#enqueue(entry, nowMs, actions)
  }

  #askQuick(entry: Entry<T>, actions: GateAction<T>[]): void {
    const { queueMaxMessages, queueMaxBytes } = this.#options
    if (this.#quickCount >= queueMaxMessages || this.#quickBytes + entry.sizeBytes > queueMaxBytes) {
      this.#drop(entry, actions)
      return
    }
    entry.state = 'quick'
    entry.call = ++this.#calls
    this.#quickCount++
    this.#quickBytes += entry.sizeBytes
    actions.push({ type: 'askQuick', key: entry.key, call: entry.call, message: entry.message })
  }

  #onQuick(event: Extract<GateEvent<T>, { type: 'quick' }>, nowMs: number, actions: GateAction<T>[]): void {
    const entry = this.#entries.get(event.key)
    if (entry === undefined || entry.call !== event.call || entry.state !== 'quick') return
    this.#endQuick(entry)
    if (event.verdict !== 'accept') return this.#judge(entry, event, nowMs, actions)
    entry.isQuickAccepted = true
    this.#settle(entry, 'accept', actions)
    this.#enqueue(entry, nowMs, actions)
  }

  #endQuick(entry: Entry<T>): void {
    entry.state = 'queued'
    this.#quickCount--
    this.#quickBytes -= entry.sizeBytes
  }

  #enqueue(entry: Entry<T>, nowMs: number, actions: GateAction<T>[]): void {
    // A free place means an empty queue: `#pump` has seen to it.
    if (this.#asked.size < this.#options.concurrency) return this.#ask(entry, nowMs, actions)
    const [first] = entry.senders
    assert.ok(first !== undefined, 'a message without a sender')
    for (const dropped of this.#queue.push(first.from, entry, entry.sizeBytes)) this.#drop(dropped, actions)
  }

  #ask(entry: Entry<T>, nowMs: number, actions: GateAction<T>[]): void {
    entry.state = 'asked'
    entry.call = ++this.#calls
    entry.placeUntilMs = nowMs + this.#options.verdictTimeoutMs
    this.#asked.set(entry.key, entry)
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
    this.#judge(entry, event, nowMs, actions)
    this.#pump(nowMs, actions)
  }

  #pump(nowMs: number, actions: GateAction<T>[]): void {
    while (this.#asked.size < this.#options.concurrency) {
      const next = this.#queue.shift()
      if (next === undefined) return
      this.#ask(next, nowMs, actions)
    }
  }

  #judge(
    entry: Entry<T>,
    { verdict, reason }: { verdict: Verdict; reason: Reason },
    nowMs: number,
    actions: GateAction<T>[],
  ): void {
    this.#settle(entry, verdict, actions)
    if (verdict === 'reject' && !entry.isQuickAccepted) {
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
    actions.push({ type: 'settled', key: entry.key, message: entry.message, verdict })
    for (const [index, { from, ticket }] of entry.senders.entries()) {
      if (ticket === undefined) continue
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
    this.#asked.delete(entry.key)
    if (this.#overdue.delete(entry.key)) this.#overdueBytes -= entry.sizeBytes
  }

  #onTick(nowMs: number, actions: GateAction<T>[]): void {
    const unanswered: Entry<T>[] = []
    for (const entry of this.#due.values()) {
      if (entry.dueAtMs > nowMs) break
      entry.isLate = true
      this.#settle(entry, 'ignore', actions)
      actions.push({ type: 'overdue', message: entry.message })
      if (entry.state === 'quick') unanswered.push(entry)
    }
    for (const entry of this.#asked.values()) {
      if (entry.placeUntilMs > nowMs) break
      this.#release(entry, nowMs, actions)
    }
    this.#pump(nowMs, actions)
    for (const entry of unanswered) {
      this.#endQuick(entry)
      this.#enqueue(entry, nowMs, actions)
    }
  }

  #release(entry: Entry<T>, nowMs: number, actions: GateAction<T>[]): void {
    entry.state = 'overdue'
    this.#asked.delete(entry.key)
    this.#overdue.set(entry.key, entry)
    this.#overdueBytes += entry.sizeBytes
    for (const oldest of this.#overdue.values()) {
      if (this.#overdue.size <= OVERDUE_MAX && this.#overdueBytes <= this.#options.queueMaxBytes) return
      this.#judge(oldest, { verdict: 'ignore', reason: 'timeout' }, nowMs, actions)
    }
  }

  #onClose(actions: GateAction<T>[]): void {
    for (const entry of this.#entries.values()) this.#settle(entry, 'ignore', actions)
    this.#entries.clear()
    this.#asked.clear()
    this.#overdue.clear()
    this.#queue.drain()
    this.#quickCount = 0
    this.#quickBytes = 0
    this.#overdueBytes = 0
  }

  /** Throws when an invariant is broken; for tests. */
  check(nowMs: number): void {
    const entries = [...this.#entries.values()]
    const inState = (state: Entry<T>['state']): Entry<T>[] => entries.filter(entry => entry.state === state)
    const count = (state: Entry<T>['state']): number => inState(state).length
    const bytes = (state: Entry<T>['state']): number =>
      inState(state).reduce((sum, entry) => sum + entry.sizeBytes, 0)
    this.#queue.check()
    assert.equal(count('queued'), this.#queue.count)
    assert.equal(count('asked'), this.#asked.size)
    assert.equal(count('overdue'), this.#overdue.size)
    assert.equal(count('quick'), this.#quickCount)
    assert.equal(bytes('quick'), this.#quickBytes)
    assert.equal(bytes('overdue'), this.#overdueBytes)
    assert.ok(this.#quickCount <= this.#options.queueMaxMessages)
    assert.ok(this.#quickBytes <= this.#options.queueMaxBytes)
    assert.ok(this.#overdueBytes <= this.#options.queueMaxBytes)
    assert.ok(this.#asked.size <= this.#options.concurrency && this.#overdue.size <= OVERDUE_MAX)
    assert.ok(this.#asked.size === this.#options.concurrency || this.#queue.count === 0, 'the handler idles')
    assert.deepEqual(new Set(this.#due.keys()), new Set(entries.filter(e => !e.isSettled).map(e => e.key)))
    assert.ok(
      entries.every(entry => !this.#seen.has(entry.key, nowMs)),
      'a judged message is judged again',
    )
  }
}
