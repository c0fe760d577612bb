/**
 * The address exchange: a pure machine that asks peers for addresses, takes in what they say, and answers those who ask.
 *
 * Asking:
 * - Asked are greeted peers that we have dialled, and those that the user named: whoever dials us chose us, and could
 *   choose what we learn. Each is asked after its handshake, and again when the pause that it asked for is over.
 * - What it says is taken in through a token bucket, one address every 10 s and up to 250 (Bitcoin's numbers), and 250
 *   more for a question, but only 32 where the last such grant is less than ten minutes ago: then it has told us to
 *   ask again soon, which only a node does that has fewer than 32. What is beyond is ignored and counted.
 * - What others say of a time is doubted: two hours are taken off (`penaltyMs`). A time to come, or none, the book takes
 *   for five days ago (`address-book.ts`).
 * - Endpoints that no host can have, port 0 and our own are left out, and cost a little, once for each answer, after
 *   which there is no soon: an honest node with other `groupRules` must not be blamed every 10 s. Loopback ones from
 *   elsewhere are left out for nothing: they are somebody's, though never of use here.
 *
 * Answering:
 * - Only who asks is told. There is no frame for telling others unasked, and a question that carries addresses is an
 *   offence. Peers that have not shaken hands get no answer.
 * - Everyone is told the same (`exchange-sample.ts`), but for its own endpoints.
 * - An answer says when to ask again: in ten minutes, or in 10 s while the sample is small. Who asks sooner on the same
 *   connection (a tenth is allowed for clocks) commits an offence. On a new connection it may have forgotten, in a
 *   restart: it gets an empty answer that says how long it still is.
 * - There is no limit for each IP address besides: with the same sample for all, more identities learn nothing more, and
 *   an answer costs less than the handshakes before it, whose number is limited (`admission.ts`). Such a limit would only
 *   shut out those who share an address.
 *
 * Bounds: `PARTNERS_MAX` greeted peers, further ones are neither asked nor answered; as many memories of who was told
 * when, of which the oldest is forgotten first: then somebody is told too soon what it knows already.
 */
import assert from 'node:assert/strict'
import { type Endpoint, groupOf } from '../core/endpoint.ts'
import type { Offence } from '../core/offences.ts'
import type { Direction, PeerId } from '../core/types.ts'
import type { Heard } from './address-book.ts'
import {
  ANSWER_MAX,
  answerOf,
  QUESTION_FRAME,
  readAnswer,
  readQuestion,
  type Told,
} from './exchange-message.ts'
import { isCarried, SAMPLE_MIN, Sample, type SampleParts } from './exchange-sample.ts'
import { TokenBucket } from './token-bucket.ts'

export interface ExchangeParts extends SampleParts {
  /** Whether this node listens there. */
  isOurs(endpoint: Endpoint): boolean
}

export type ExchangeEvent =
  /** A peer has shaken hands. `ip` is its address, canonical, or empty; `isManual`: the user named it. */
  | { type: 'greeted'; peer: PeerId; direction: Direction; ip: string; isManual: boolean }
  | { type: 'closed'; peer: PeerId }
  /** A question has come. The `reply` action, if there is one, is its answer. */
  | { type: 'request'; peer: PeerId; frame: Uint8Array }
  /** What came of our question; undefined when it failed. */
  | { type: 'answer'; peer: PeerId; frame: Uint8Array | undefined }
  | { type: 'tick' }

export type ExchangeOffence = Extract<Offence, `exchange-${string}`>

export type ExchangeAction =
  /** Send the frame; its outcome is an `answer` event in any case. */
  | { type: 'ask'; peer: PeerId; frame: Uint8Array }
  | { type: 'reply'; peer: PeerId; frame: Uint8Array }
  | { type: 'learn'; peer: PeerId; heard: readonly Heard[] }
  | { type: 'offence'; peer: PeerId; offence: ExchangeOffence; detail: string }

export const PARTNERS_MAX = 10_000

/** Between two questions: as a rule, and where the sample is small. */
export const PAUSE_S = 600
export const YOUNG_PAUSE_S = 10

/** How much sooner than told a question may come: a tenth, since clocks differ. */
const SLACK = 0.1

const TOKENS = { tokenMs: 10_000, cap: ANSWER_MAX }

const PENALTY_MS = 7_200_000
const SWEEP_MS = 60_000

/** A greeted peer. */
interface Partner {
  readonly ip: string
  readonly isAsked: boolean
  readonly bucket: TokenBucket
  /** When the bucket was last granted tokens for a whole answer. */
  grantedAtMs: number
  isAsking: boolean
  askAtMs: number
  /** It was told, on this connection, when to ask again. */
  isTold: boolean
}

export class Exchange {
  readonly #parts: ExchangeParts
  readonly #sample: Sample
  readonly #partners = new Map<PeerId, Partner>()
  /** Who was answered, and from when on it may ask again, the longest ago first. */
  readonly #answered = new Map<PeerId, { readonly againAtMs: number; readonly slackMs: number }>()
  #sweptAtMs = Number.NEGATIVE_INFINITY
  #ignored = 0

  constructor(parts: ExchangeParts) {
    this.#parts = parts
    this.#sample = new Sample(parts)
  }

  /** How many addresses were ignored because their teller had told too many. */
  get ignored(): number {
    return this.#ignored
  }

  handle(event: ExchangeEvent, nowMs: number, wallMs: number): ExchangeAction[] {
    switch (event.type) {
      case 'greeted':
        return this.#onGreeted(event, nowMs)
      case 'closed':
        this.#partners.delete(event.peer)
        return []
      case 'request':
        return this.#onRequest(event.peer, event.frame, nowMs, wallMs)
      case 'answer':
        return this.#onAnswer(event.peer, event.frame, nowMs)
      case 'tick':
        return this.#onTick(nowMs)
      default:
        return event satisfies never
    }
  }

  #onGreeted(event: Extract<ExchangeEvent, { type: 'greeted' }>, nowMs: number): ExchangeAction[] {
    const { peer, direction, ip, isManual } = event
    if (this.#partners.has(peer) || this.#partners.size >= PARTNERS_MAX) return []
    const partner: Partner = {
      ip,
      isAsked: direction === 'outbound' || isManual,
      bucket: new TokenBucket(TOKENS, nowMs),
      grantedAtMs: Number.NEGATIVE_INFINITY,
      isAsking: false,
      askAtMs: nowMs,
      isTold: false,
    }
    this.#partners.set(peer, partner)
    return partner.isAsked ? [this.#ask(peer, partner, nowMs)] : []
  }

  #ask(peer: PeerId, partner: Partner, nowMs: number): ExchangeAction {
    const isWhole = nowMs - partner.grantedAtMs >= PAUSE_S * 1_000
    if (isWhole) partner.grantedAtMs = nowMs
    partner.bucket.grant(isWhole ? ANSWER_MAX : SAMPLE_MIN, nowMs)
    partner.isAsking = true
    return { type: 'ask', peer, frame: QUESTION_FRAME }
  }

  #onAnswer(peer: PeerId, frame: Uint8Array | undefined, nowMs: number): ExchangeAction[] {
    const partner = this.#partners.get(peer)
    if (partner === undefined || !partner.isAsking) return []
    partner.isAsking = false
    partner.askAtMs = nowMs + PAUSE_S * 1_000
    // A stream that ends without a frame is no answer.
    if (frame === undefined || frame.byteLength === 0) return []
    const decoded = readAnswer(frame)
    if (decoded.problem !== undefined) {
      const offence = decoded.isExcess ? 'exchange-too-many' : 'exchange-malformed'
      return [{ type: 'offence', peer, offence, detail: decoded.problem }]
    }
    const { told, retryAfterS } = decoded.value
    partner.askAtMs = nowMs + Math.max(retryAfterS, YOUNG_PAUSE_S) * 1_000
    const taken = partner.bucket.take(told.length, nowMs)
    this.#ignored += told.length - taken
    return this.#takeIn(peer, partner, told.slice(0, taken), nowMs)
  }

  #takeIn(peer: PeerId, partner: Partner, told: readonly Told[], nowMs: number): ExchangeAction[] {
    const heard = new Map<Endpoint, Heard>()
    const sourceGroup = groupOf(partner.ip)
    let bad = 0
    for (const { endpoint, lastSuccessS } of told) {
      if (endpoint === undefined || !isCarried(endpoint, this.#parts.groupRules)) bad++
      else if (isLoopback(endpoint) && !isLoopback(partner.ip)) continue
      else if (this.#parts.isOurs(endpoint)) bad++
      else {
        const times = { lastHeardMs: lastSuccessS * 1_000, penaltyMs: PENALTY_MS }
        heard.set(endpoint, { endpoint, source: 'exchange', sourceGroup, ...times })
      }
    }
    const actions: ExchangeAction[] = []
    if (heard.size > 0) actions.push({ type: 'learn', peer, heard: [...heard.values()] })
    if (bad > 0) {
      partner.askAtMs = Math.max(partner.askAtMs, nowMs + PAUSE_S * 1_000)
      const detail = `${bad} of ${told.length} addresses`
      actions.push({ type: 'offence', peer, offence: 'exchange-bad-address', detail })
    }
    return actions
  }

  #onRequest(peer: PeerId, frame: Uint8Array, nowMs: number, wallMs: number): ExchangeAction[] {
    const partner = this.#partners.get(peer)
    if (partner === undefined) return []
    const kind = readQuestion(frame)
    if (kind !== 'question') {
      return [{ type: 'offence', peer, offence: `exchange-${kind}`, detail: `${frame.byteLength} bytes` }]
    }
    const before = this.#answered.get(peer)
    if (before === undefined || nowMs >= before.againAtMs - before.slackMs) {
      return [this.#answer(peer, partner, nowMs, wallMs)]
    }
    const waitMs = before.againAtMs - nowMs
    if (partner.isTold) {
      const detail = `${Math.ceil(waitMs)} ms too soon`
      return [{ type: 'offence', peer, offence: 'exchange-too-soon', detail }]
    }
    partner.isTold = true
    return [{ type: 'reply', peer, frame: answerOf([], Math.ceil(waitMs / 1_000)) }]
  }

  #answer(peer: PeerId, partner: Partner, nowMs: number, wallMs: number): ExchangeAction {
    const sample = this.#sample.entries(nowMs, wallMs)
    const retryAfterS = sample.length < SAMPLE_MIN ? YOUNG_PAUSE_S : PAUSE_S
    const told = sample
      .filter(other => other.peer !== peer && (isLoopback(partner.ip) || !isLoopback(other.endpoint)))
      .map(({ entry }) => entry)
    partner.isTold = true
    this.#answered.delete(peer)
    for (const [oldest] of this.#answered) {
      if (this.#answered.size < PARTNERS_MAX) break
      this.#answered.delete(oldest)
    }
    const pauseMs = retryAfterS * 1_000
    this.#answered.set(peer, { againAtMs: nowMs + pauseMs, slackMs: pauseMs * SLACK })
    return { type: 'reply', peer, frame: answerOf(told, retryAfterS) }
  }

  #onTick(nowMs: number): ExchangeAction[] {
    if (nowMs - this.#sweptAtMs >= SWEEP_MS) {
      this.#sweptAtMs = nowMs
      for (const [peer, { againAtMs }] of this.#answered) {
        if (againAtMs <= nowMs) this.#answered.delete(peer)
      }
    }
    const actions: ExchangeAction[] = []
    for (const [peer, partner] of this.#partners) {
      if (!partner.isAsked || partner.isAsking || nowMs < partner.askAtMs) continue
      actions.push(this.#ask(peer, partner, nowMs))
    }
    return actions
  }

  check(): void {
    assert.ok(this.#partners.size <= PARTNERS_MAX && this.#answered.size <= PARTNERS_MAX)
    for (const { bucket } of this.#partners.values()) bucket.check()
    this.#sample.check()
  }
}

/** Of a canonical IP address or endpoint. */
function isLoopback(ipOrEndpoint: string): boolean {
  return /^(127\.|::1$|\[::1\]:)/.test(ipOrEndpoint)
}
