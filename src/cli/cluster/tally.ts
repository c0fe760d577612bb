/**
 * The tally of a cluster run: which message has reached which node, and what came of it.
 *
 * Events come from the reports of the nodes, in any order: a node may report a message before its sender has
 * reported sending it. What is expected of a message is known from its sender:
 * - `accept`: made by the cluster for its own gate, which must accept it. Counts for coverage.
 * - `judged`: real input for the user's gate. Counts for coverage unless a node has rejected it and none has
 *   accepted it: then the gate has refused it, which is no loss, and it is counted as refused.
 * - `reject`: spoilt on purpose. No node may accept it, and only the neighbours of its sender may ever see it:
 *   a verdict on a copy that came from anyone but the sender means that somebody passed it on.
 *
 * coverage = deliveries / (accepted messages × (nodes − 1)). A delivery is the first accept of a message by a
 * node that is not its sender. Latencies are those of deliveries.
 *
 * Bounds, each for messages of one kind and oldest first: `TRACKED_MAX` messages that some node still lacks;
 * beyond it the oldest leaves the coverage and is counted in `untracked`. `TRACKED_MAX` spoilt ones; the oldest
 * keeps its counts. `EARLY_MAX` verdicts on messages unknown so far; the oldest is dropped and counted in
 * `unmatched`. A message that all nodes have is forgotten at once.
 */
import type { Verdict } from '../../core/types.ts'
import { Latencies } from './latency.ts'

export const TRACKED_MAX = 100_000
export const EARLY_MAX = 100_000

export type Expectation = 'accept' | 'judged' | 'reject'

/** Nodes are numbered from 0; times are microseconds of one clock that all nodes share. */
export interface SentEvent {
  readonly type: 'sent'
  readonly id: string
  readonly node: number
  readonly atUs: number
  readonly sizeBytes: number
  readonly expect: Expectation
}

export interface VerdictEvent {
  readonly type: 'verdict'
  readonly id: string
  readonly node: number
  readonly atUs: number
  /** The neighbour that sent the copy; −1 when it is no node of the cluster. */
  readonly from: number
  readonly verdict: Verdict
}

export type TallyEvent = SentEvent | VerdictEvent

export interface Totals {
  /** Messages that count for coverage. */
  readonly messages: number
  readonly deliveries: number
  readonly payloadBytes: number
  /** `judged` messages that the gate refused. */
  readonly refused: number
  /** Distinct messages that at least one node rejected, spoilt ones included. */
  readonly rejected: number
  /** Ignore verdicts of all nodes. */
  readonly ignored: number
  readonly spoilt: Spoilt
  /** Sent a second time with the same id: counted once above. */
  readonly duplicates: number
  readonly untracked: number
  readonly unmatched: number
}

export interface Spoilt {
  readonly sent: number
  /** Reject verdicts of all nodes on spoilt messages. */
  readonly rejectedBy: number
  /** Verdicts on copies that came from another node than the sender, and accepts whoever sent it. */
  readonly beyondFirstHop: number
  /** Accepts. */
  readonly delivered: number
  /** Spoilt messages on which no node has given a verdict. */
  readonly unjudged: number
}

interface Expected extends SentEvent {
  readonly reached: Set<number>
  readonly rejectedBy: Set<number>
}

interface Judgement {
  rejectedBy: number
  beyondFirstHop: number
  delivered: number
  verdicts: number
}

interface SpoiltMessage extends SentEvent, Judgement {}

export class Tally {
  readonly latencies = new Latencies()
  readonly latenciesOf: readonly Latencies[]
  readonly #others: number
  readonly #trackedMax: number
  readonly #earlyMax: number
  readonly #expected = new Map<string, Expected>()
  readonly #spoilt = new Map<string, SpoiltMessage>()
  readonly #early = new Map<string, VerdictEvent[]>()
  #earlyCount = 0
  readonly #done = { messages: 0, payloadBytes: 0 }
  readonly #past = {
    refused: 0,
    rejected: 0,
    sent: 0,
    unjudged: 0,
    rejectedBy: 0,
    beyondFirstHop: 0,
    delivered: 0,
  }
  #ignored = 0
  #duplicates = 0
  #untracked = 0
  #unmatched = 0

  constructor(nodes: number, bounds: { trackedMax?: number; earlyMax?: number } = {}) {
    this.#others = nodes - 1
    this.latenciesOf = Array.from({ length: nodes }, () => new Latencies())
    this.#trackedMax = bounds.trackedMax ?? TRACKED_MAX
    this.#earlyMax = bounds.earlyMax ?? EARLY_MAX
  }

  handle(event: TallyEvent): void {
    if (event.type === 'sent') this.#sent(event)
    else this.#verdict(event)
  }

  /** How many messages still wait for a node: neither everywhere nor refused. Spoilt ones wait for nothing. */
  get openCount(): number {
    let count = 0
    for (const message of this.#expected.values()) if (!isRefused(message)) count += 1
    return count
  }

  /** Whether a message that was sent is still awaited: see `openCount`; a spoilt one until its first verdict. */
  isOpen(id: string): boolean {
    const message = this.#expected.get(id)
    if (message !== undefined) return !isRefused(message)
    return this.#spoilt.get(id)?.verdicts === 0
  }

  /** With `sentBeforeUs`, without messages sent since then that some node still lacks: they are on their way. */
  totals(sentBeforeUs = Infinity): Totals {
    let { messages, payloadBytes } = this.#done
    let deliveries = messages * this.#others
    let { refused, rejected } = this.#past
    for (const message of this.#expected.values()) {
      if (message.atUs > sentBeforeUs) continue
      if (message.rejectedBy.size > 0) rejected += 1
      if (isRefused(message)) {
        refused += 1
        continue
      }
      messages += 1
      payloadBytes += message.sizeBytes
      deliveries += message.reached.size
    }
    const { sent, unjudged, rejectedBy, beyondFirstHop, delivered } = this.#past
    const spoilt = { sent, unjudged, rejectedBy, beyondFirstHop, delivered }
    for (const message of this.#spoilt.values()) {
      if (message.rejectedBy > 0) rejected += 1
      addSpoilt(spoilt, message)
    }
    return {
      messages,
      deliveries,
      payloadBytes,
      refused,
      rejected,
      ignored: this.#ignored,
      spoilt,
      duplicates: this.#duplicates,
      untracked: this.#untracked,
      unmatched: this.#unmatched,
    }
  }

  #sent(event: SentEvent): void {
    if (this.#expected.has(event.id) || this.#spoilt.has(event.id)) {
      this.#duplicates += 1
      return
    }
    if (event.expect === 'reject') {
      this.#spoilt.set(event.id, { ...event, rejectedBy: 0, beyondFirstHop: 0, delivered: 0, verdicts: 0 })
      if (this.#spoilt.size > this.#trackedMax) this.#forgetOldestSpoilt()
    } else {
      this.#expected.set(event.id, { ...event, reached: new Set(), rejectedBy: new Set() })
      if (this.#expected.size > this.#trackedMax) this.#forgetOldestExpected()
    }
    const early = this.#early.get(event.id) ?? []
    this.#early.delete(event.id)
    this.#earlyCount -= early.length
    for (const verdict of early) this.#verdict(verdict)
  }

  #verdict(event: VerdictEvent): void {
    const expected = this.#expected.get(event.id)
    const spoilt = this.#spoilt.get(event.id)
    if (expected !== undefined) this.#judgeExpected(expected, event)
    else if (spoilt !== undefined) this.#judgeSpoilt(spoilt, event)
    else this.#keepEarly(event)
  }

  #keepEarly(event: VerdictEvent): void {
    const early = this.#early.get(event.id)
    if (early === undefined) this.#early.set(event.id, [event])
    else early.push(event)
    this.#earlyCount += 1
    if (this.#earlyCount > this.#earlyMax) this.#forgetOldestEarly()
  }

  #judgeExpected(message: Expected, { node, atUs, verdict }: VerdictEvent): void {
    if (verdict === 'ignore') this.#ignored += 1
    if (verdict === 'reject') message.rejectedBy.add(node)
    if (verdict !== 'accept' || node === message.node || message.reached.has(node)) return
    message.reached.add(node)
    const latencyUs = Math.max(0, atUs - message.atUs)
    this.latencies.add(latencyUs)
    this.latenciesOf[node]?.add(latencyUs)
    if (message.reached.size < this.#others) return
    this.#expected.delete(message.id)
    this.#done.messages += 1
    this.#done.payloadBytes += message.sizeBytes
    if (message.rejectedBy.size > 0) this.#past.rejected += 1
  }

  #judgeSpoilt(message: SpoiltMessage, { from, verdict }: VerdictEvent): void {
    if (verdict === 'ignore') this.#ignored += 1
    message.verdicts += 1
    if (verdict === 'reject') message.rejectedBy += 1
    if (verdict === 'accept') message.delivered += 1
    if (verdict === 'accept' || from !== message.node) message.beyondFirstHop += 1
  }

  #forgetOldestExpected(): void {
    for (const [id, message] of this.#expected) {
      this.#expected.delete(id)
      if (isRefused(message)) this.#past.refused += 1
      else this.#untracked += 1
      if (message.rejectedBy.size > 0) this.#past.rejected += 1
      return
    }
  }

  #forgetOldestSpoilt(): void {
    for (const [id, message] of this.#spoilt) {
      this.#spoilt.delete(id)
      addSpoilt(this.#past, message)
      if (message.rejectedBy > 0) this.#past.rejected += 1
      return
    }
  }

  #forgetOldestEarly(): void {
    for (const [id, verdicts] of this.#early) {
      verdicts.shift()
      if (verdicts.length === 0) this.#early.delete(id)
      this.#earlyCount -= 1
      this.#unmatched += 1
      return
    }
  }
}

/** Only real input can be refused: a message of our own making that is rejected is a failure. */
function isRefused(message: Expected): boolean {
  return message.expect === 'judged' && message.rejectedBy.size > 0 && message.reached.size === 0
}

function addSpoilt(sum: { -readonly [key in keyof Spoilt]: number }, message: Judgement): void {
  sum.sent += 1
  sum.rejectedBy += message.rejectedBy
  sum.beyondFirstHop += message.beyondFirstHop
  sum.delivered += message.delivered
  if (message.verdicts === 0) sum.unjudged += 1
}

/** Whether there was traffic, and each message of it was spoilt on purpose: no node had to accept any. */
export function isAllSpoilt({ messages, refused, untracked, spoilt }: Totals): boolean {
  return spoilt.sent > 0 && messages === 0 && refused === 0 && untracked === 0
}

/**
 * Without accepted messages 0, because such a run proves nothing; but 1 when all messages were spoilt on purpose,
 * because then nothing is missing.
 */
export function coverageOf(totals: Totals, nodes: number): number {
  const expected = totals.messages * (nodes - 1)
  if (expected > 0) return totals.deliveries / expected
  return isAllSpoilt(totals) ? 1 : 0
}
