/**
 * The naive twin of `Gate`, written from the rules in its header: one list of messages, searched from end to end
 * for every question, and no count, index or order that is kept from one event to the next but those that the
 * rules themselves speak of (the line in front of the handler, the numbers of calls).
 */
import { Seen, type SeenOptions } from '../../src/core/seen.ts'
import type { Verdict } from '../../src/core/types.ts'
import type { GateAction, GateEvent, GateOptions, Reason } from '../../src/gossip/gate.ts'
import { FairQueueTwin } from './fair-queue-twin.ts'

const COPIES_REMEMBERED = 16
const CALLS_WAITED_FOR = 1_024

interface Entry<T> {
  readonly key: string
  readonly message: T
  readonly sizeBytes: number
  readonly copies: { readonly from: string; readonly ticket: string | undefined }[]
  readonly arrivedAtMs: number
  phase: 'quick' | 'queued' | 'asked'
  call: number
  calledAtMs: number
  /** The order in which calls lost their places; undefined while it has its place. */
  lostPlace: number | undefined
  told: Verdict | undefined
  isLate: boolean
}

export class GateTwin<T> {
  readonly #options: GateOptions
  readonly #seen: Seen
  #entries: Entry<T>[] = []
  #line: FairQueueTwin<Entry<T>>
  #calls = 0
  #losses = 0
  #actions: GateAction<T>[] = []

  constructor(options: GateOptions, seen: SeenOptions) {
    this.#options = options
    this.#seen = new Seen(seen)
    this.#line = this.#emptyLine()
  }

  get queuedCount(): number {
    return this.#entries.filter(entry => entry.phase === 'queued').length
  }

  knows(key: string, nowMs: number): boolean {
    return this.#entries.some(entry => entry.key === key) || this.#seen.has(key, nowMs)
  }

  /** Somebody else has judged or sent it. */
  markSeen(key: string, nowMs: number): void {
    this.#seen.add(key, nowMs)
  }

  handle(event: GateEvent<T>, nowMs: number): GateAction<T>[] {
    this.#actions = []
    if (event.type === 'message') this.#onMessage(event, nowMs)
    if (event.type === 'quick') this.#onQuick(event, nowMs)
    if (event.type === 'verdict') this.#onVerdict(event, nowMs)
    if (event.type === 'tick') this.#onTick(nowMs)
    if (event.type === 'close') {
      for (const entry of this.#entries) this.#tell(entry, 'ignore')
      this.#entries = []
      this.#line = this.#emptyLine()
    }
    return this.#actions
  }

  #emptyLine(): FairQueueTwin<Entry<T>> {
    return new FairQueueTwin({
      maxItems: this.#options.queueMaxMessages,
      maxBytes: this.#options.queueMaxBytes,
    })
  }

  #onMessage(event: Extract<GateEvent<T>, { type: 'message' }>, nowMs: number): void {
    const { key, from, ticket, sizeBytes, message } = event
    const waiting = this.#entries.find(entry => entry.key === key)
    const isRemembered = waiting !== undefined && waiting.copies.length < COPIES_REMEMBERED
    if (isRemembered) waiting.copies.push({ from, ticket })
    if (isRemembered && waiting.told === undefined) return
    if (this.knows(key, nowMs)) {
      if (ticket !== undefined) this.#actions.push({ type: 'settle', ticket, from, verdict: 'ignore' })
      return
    }
    const entry: Entry<T> = {
      key,
      message,
      sizeBytes,
      copies: [{ from, ticket }],
      arrivedAtMs: nowMs,
      phase: 'quick',
      call: 0,
      calledAtMs: 0,
      lostPlace: undefined,
      told: undefined,
      isLate: false,
    }
    const quick = this.#entries.filter(other => other.phase === 'quick')
    const quickBytes = quick.reduce((sum, other) => sum + other.sizeBytes, 0)
    const { isQuick, queueMaxMessages, queueMaxBytes } = this.#options
    const fits = quick.length + 1 <= queueMaxMessages && quickBytes + sizeBytes <= queueMaxBytes
    this.#entries.push(entry)
    if (event.isVouched) this.#tell(entry, 'accept')
    if (!isQuick || event.isVouched) return this.#bringToHandler(entry, nowMs)
    if (!fits) return this.#drop(entry)
    entry.call = ++this.#calls
    this.#actions.push({ type: 'askQuick', key, call: entry.call, message })
  }

  #onQuick(event: Extract<GateEvent<T>, { type: 'quick' }>, nowMs: number): void {
    const entry = this.#entries.find(other => other.key === event.key && other.call === event.call)
    if (entry === undefined || entry.phase !== 'quick') return
    this.#tell(entry, event.verdict)
    if (event.verdict === 'accept') this.#bringToHandler(entry, nowMs)
    else this.#end(entry, event.verdict, event.reason, nowMs)
  }

  #onVerdict(event: Extract<GateEvent<T>, { type: 'verdict' }>, nowMs: number): void {
    const entry = this.#entries.find(other => other.key === event.key && other.call === event.call)
    if (entry === undefined || entry.phase !== 'asked') return
    this.#tell(entry, event.verdict)
    this.#end(entry, event.verdict, event.reason, nowMs)
    this.#fillPlaces(nowMs)
  }

  #onTick(nowMs: number): void {
    const { verdictTimeoutMs } = this.#options
    const due = this.#entries.filter(
      entry => entry.told === undefined && nowMs >= entry.arrivedAtMs + verdictTimeoutMs,
    )
    for (const entry of due) {
      entry.isLate = true
      this.#tell(entry, 'ignore')
      this.#actions.push({ type: 'overdue', message: entry.message })
    }
    const holding = this.#holdingPlaces().sort((a, b) => a.call - b.call)
    for (const entry of holding) {
      if (nowMs >= entry.calledAtMs + verdictTimeoutMs) this.#losePlace(entry, nowMs)
    }
    this.#fillPlaces(nowMs)
    for (const entry of due) if (entry.phase === 'quick') this.#bringToHandler(entry, nowMs)
  }

  #holdingPlaces(): Entry<T>[] {
    return this.#entries.filter(entry => entry.phase === 'asked' && entry.lostPlace === undefined)
  }

  #losePlace(entry: Entry<T>, nowMs: number): void {
    entry.lostPlace = this.#losses++
    this.#giveUpOldest(nowMs)
  }

  /** Until those that are left are few and small enough. */
  #giveUpOldest(nowMs: number): void {
    const lost = this.#entries.filter(other => other.lostPlace !== undefined)
    const lostBytes = lost.reduce((sum, other) => sum + other.sizeBytes, 0)
    if (lost.length <= CALLS_WAITED_FOR && lostBytes <= this.#options.queueMaxBytes) return
    const oldest = lost.reduce((a, b) => (Number(a.lostPlace) < Number(b.lostPlace) ? a : b))
    this.#end(oldest, 'ignore', 'timeout', nowMs)
    this.#giveUpOldest(nowMs)
  }

  #bringToHandler(entry: Entry<T>, nowMs: number): void {
    if (this.#line.count === 0 && this.#holdingPlaces().length < this.#options.concurrency) {
      this.#ask(entry, nowMs)
      return
    }
    entry.phase = 'queued'
    const lane = entry.copies[0]?.from ?? ''
    for (const dropped of this.#line.push(lane, entry, entry.sizeBytes)) this.#drop(dropped)
  }

  #fillPlaces(nowMs: number): void {
    while (this.#line.count > 0 && this.#holdingPlaces().length < this.#options.concurrency) {
      this.#ask(this.#line.shift() as Entry<T>, nowMs)
    }
  }

  #ask(entry: Entry<T>, nowMs: number): void {
    entry.phase = 'asked'
    entry.call = ++this.#calls
    entry.calledAtMs = nowMs
    this.#actions.push({ type: 'ask', key: entry.key, call: entry.call, message: entry.message })
  }

  #tell(entry: Entry<T>, verdict: Verdict): void {
    if (entry.told !== undefined) return
    entry.told = verdict
    this.#actions.push({ type: 'settled', key: entry.key, message: entry.message, verdict })
    entry.copies.forEach(({ from, ticket }, index) => {
      if (ticket === undefined) return
      // The first copy is passed on; the others must not be passed on again.
      this.#actions.push({
        type: 'settle',
        ticket,
        from,
        verdict: verdict === 'accept' && index > 0 ? 'ignore' : verdict,
      })
    })
  }

  #end(entry: Entry<T>, verdict: Verdict, reason: Reason, nowMs: number): void {
    // A message that was passed on before is one with a quick accept: more than that nobody has vouched for.
    const isBlamed = verdict === 'reject' && entry.told !== 'accept'
    const peers = isBlamed ? new Set(entry.copies.map(copy => copy.from)) : []
    for (const peer of peers) this.#actions.push({ type: 'blame', peer, message: entry.message })
    this.#actions.push({ type: 'judged', message: entry.message, verdict, reason, late: entry.isLate })
    this.#entries = this.#entries.filter(other => other !== entry)
    this.#seen.add(entry.key, nowMs)
  }

  #drop(entry: Entry<T>): void {
    this.#tell(entry, 'ignore')
    this.#actions.push({
      type: 'judged',
      message: entry.message,
      verdict: 'ignore',
      reason: 'overflow',
      late: entry.isLate,
    })
    this.#entries = this.#entries.filter(other => other !== entry)
  }
}
