/**
 * The held messages of one topic: what the handler wanted to judge later, and how often it has said so.
 *
 * Rules:
 * - What waits for whom is decided by `holds.ts`; this file remembers what was asked for between the handler's answer
 *   and the end of the message's first judgement, and counts rounds.
 * - A message is held `ROUNDS_MAX` times at most: a handler that names ids which are accepted already would otherwise be
 *   asked for ever.
 * - What a message waits for, and what neither waits nor was ever seen here, is asked for from the peer that sent it.
 * - Of at most `ANSWERS_MAX` messages an answer is remembered; beyond that the oldest is forgotten that is not held. Why:
 *   an answer to a call that was given up is followed by no judgement.
 * - What was accepted is remembered here, and not taken from what is kept for others: that has payloads which only a quick
 *   verdict has accepted, and lacks those for which there was no room. A message whose parents are about to be judged waits.
 * - A message that was passed on before it was held (its quick verdict was accept) is not announced anew.
 * - A message whose id was forgotten may come again while it is held. Judged for good, it is not released any more.
 */
import { Seen } from '../core/seen.ts'
import type { Message, MessageKey, PeerId } from '../core/types.ts'
import { type HoldEvent, Holds } from './holds.ts'

const ROUNDS_MAX = 8

/** How many messages are held in all and of one peer; bytes are bounded by the topic's queue. */
const HELD_MAX = 4_096
const HELD_MAX_PER_PEER = 1_024

/** More than are held and queued. */
const ANSWERS_MAX = 32_768

/** How long an accept is remembered, and of how many messages. */
const ACCEPTED_MS = 600_000
const ACCEPTED_MAX = 100_000

interface Round {
  readonly ids: readonly MessageKey[]
  readonly count: number
  isPassedOn: boolean
}

export interface HeldEvents {
  /** Ask the handler again. @param isPassedOn the network was told to accept it before */
  release(key: MessageKey, message: Message, isPassedOn: boolean): void
  /** Nothing came; nobody is blamed. */
  expire(key: MessageKey, message: Message): void
  /** Missing messages, to be asked for. */
  want(from: PeerId, keys: readonly MessageKey[]): void
  /** Whether a message need not be asked for: it was judged, or waits for it. */
  isKnown(key: MessageKey): boolean
}

export class Held {
  readonly #holds: Holds<Message>
  readonly #events: HeldEvents
  /** Of messages that were held once: what they are to wait for next, and how often they have waited. */
  readonly #rounds = new Map<MessageKey, Round>()
  readonly #accepted = new Seen({ ttlMs: ACCEPTED_MS, max: ACCEPTED_MAX })

  /** @param limits `acceptedMax`: no more accepts are remembered than ids in all */
  constructor(limits: { holdMs: number; queueMaxBytes: number; acceptedMax?: number }, events: HeldEvents) {
    this.#events = events
    const max = Math.min(ACCEPTED_MAX, limits.acceptedMax ?? ACCEPTED_MAX)
    this.#accepted = new Seen({ ttlMs: ACCEPTED_MS, max })
    this.#holds = new Holds({
      holdMs: limits.holdMs,
      maxCount: HELD_MAX,
      maxBytes: limits.queueMaxBytes,
      perPeerMaxCount: HELD_MAX_PER_PEER,
      perPeerMaxBytes: Math.ceil(limits.queueMaxBytes / 4),
    })
  }

  get count(): number {
    return this.#holds.heldCount
  }

  /** Whether a message is held, or was and is being judged again. */
  has(key: MessageKey): boolean {
    return this.#rounds.has(key)
  }

  /** Whether the network was told to ignore such a message: nobody else announces it. */
  wasIgnored(key: MessageKey): boolean {
    return this.#rounds.get(key)?.isPassedOn === false
  }

  /** The handler has answered `{ hold }`; the message's end (`judged`) follows. @returns false: it was held too often */
  answered(key: MessageKey, ids: readonly MessageKey[]): boolean {
    const before = this.#rounds.get(key)
    const count = (before?.count ?? 0) + 1
    if (count > ROUNDS_MAX) return false
    this.#rounds.set(key, { ids, count, isPassedOn: before?.isPassedOn ?? false })
    if (this.#rounds.size > ANSWERS_MAX) this.#forgetOne()
    return true
  }

  #forgetOne(): void {
    for (const key of this.#rounds.keys()) {
      if (this.#holds.has(key)) continue
      this.#rounds.delete(key)
      return
    }
  }

  /** A message has ended in its hold. @param isPassedOn the network was told to accept it */
  park(key: MessageKey, message: Message, isPassedOn: boolean, nowMs: number): void {
    const round = this.#rounds.get(key)
    // Nobody knows any more what it waits for.
    if (round === undefined) return this.#events.expire(key, message)
    if (isPassedOn) round.isPassedOn = true
    if (this.#holds.has(key)) return
    const { from } = message
    const missing = round.ids.filter(id => !this.#accepted.has(id, nowMs))
    const sizeBytes = message.payload.byteLength
    this.#run({ type: 'parked', key, from, sizeBytes, missing, message }, nowMs)
  }

  /** A message was judged for good. */
  judged(key: MessageKey, accepted: boolean, nowMs: number): void {
    this.#rounds.delete(key)
    if (accepted) this.#accepted.add(key, nowMs)
    this.#run({ type: 'judged', key, accepted }, nowMs)
  }

  tick(nowMs: number): void {
    this.#run({ type: 'tick' }, nowMs)
  }

  close(): void {
    this.#holds.handle({ type: 'close' }, 0)
    this.#rounds.clear()
  }

  #run(event: HoldEvent<Message>, nowMs: number): void {
    for (const action of this.#holds.handle(event, nowMs)) {
      switch (action.type) {
        case 'release': {
          const round = this.#rounds.get(action.key)
          if (round !== undefined) this.#events.release(action.key, action.message, round.isPassedOn)
          break
        }
        case 'expire':
          if (this.#rounds.delete(action.key)) this.#events.expire(action.key, action.message)
          break
        case 'want': {
          const keys = action.ids.filter(id => !this.#events.isKnown(id) && !this.#holds.has(id))
          if (keys.length > 0) this.#events.want(action.from, keys)
          break
        }
        default:
          action satisfies never
      }
    }
  }
}
