/**
 * The negotiation of a protocol, watched: libp2p's reader gets the other side's messages, and nothing else.
 *
 * Rules:
 * - A message that is too long, a length without end and one message too many end the connection before a byte of it
 *   is read. Why: the reader's cost, which `frame.ts` tells; 1 MiB of such bytes hold the thread for seconds.
 * - What comes behind the message that ends the negotiation is not the reader's. It waits here until the protocol is
 *   set: a hasty peer sends its first request along with its proposal.
 * - On streams whose protocol is read with that same reader, lengths are watched on.
 *
 * How: what arrives in a connection or stream of `@libp2p/utils` 7.4.1 goes through its method `onData`; the one that is
 * put in its place here asserts that there is one.
 */
import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { FrameError, FrameTrail } from './frame.ts'

/** What a connection or stream of `@libp2p/utils` is inside. */
interface Inside {
  readonly readBuffer: Uint8ArrayList
  onData(data: Uint8Array | Uint8ArrayList): void
}

export interface NegotiationRules {
  /** Whether a message of the other side ends the negotiation. Not asked of the header, `na` and `ls`. */
  isLast(message: string): boolean
  /** The other side has broken the rules; nothing more is read. To end the connection. */
  refuse(error: Error): void
}

export interface StreamRules extends NegotiationRules {
  /** Whether libp2p's reader of frames serves this protocol too. */
  isFramed(protocol: string): boolean
}

/** The length of a message: the library's own bound, which it only looks at when it has read the length. */
const MESSAGE_MAX_BYTES = 1_024

/** A peer proposes one protocol or a few versions of it, or answers as many proposals of ours. */
const MESSAGES_MAX = 32

/** What may wait behind the last message: what libp2p would keep as well. */
const HELD_MAX_BYTES = 4 * 1_048_576

/** They do not end a negotiation, whoever says them. */
const SMALL_TALK = ['/multistream/1.0.0', 'na', 'ls']

const decoder = new TextDecoder()

/** From the first byte of a connection or stream, or of a layer of it, until `end`. */
export class Negotiation {
  readonly #inside: Inside
  readonly #onData: Inside['onData'] = data => this.#take(data)
  #deliver: Inside['onData']
  readonly #rules: NegotiationRules
  readonly #trail = new FrameTrail(MESSAGE_MAX_BYTES)
  #state: 'talking' | 'chosen' | 'over' | 'refused' = 'talking'
  #messages = 0
  /** The message under way, at most `MESSAGE_MAX_BYTES`. */
  #message = new Uint8ArrayList()
  /** At most `HELD_MAX_BYTES`. */
  #held = new Uint8ArrayList()

  /** @param arriving a connection or a stream that nobody has read from yet */
  constructor(arriving: object, rules: NegotiationRules) {
    this.#inside = insideOf(arriving)
    this.#deliver = this.#inside.onData.bind(arriving)
    this.#rules = rules
    this.#inside.onData = this.#onData
    const early = takeAll(this.#inside.readBuffer)
    if (early.byteLength > 0) this.#take(early)
  }

  /** The protocol is agreed on. What has waited is delivered, and what comes goes its own way again. */
  end(isFramed = false): void {
    if (this.#state === 'over' || this.#state === 'refused') return
    this.#state = 'over'
    if (isFramed) this.#deliver = watchFrames(this.#deliver, this.#rules.refuse)
    if (this.#inside.onData === this.#onData) this.#inside.onData = this.#deliver
    const held = takeAll(this.#held)
    if (held.byteLength > 0) this.#deliver(held)
  }

  #take(data: Uint8Array | Uint8ArrayList): void {
    if (this.#state === 'refused') return
    if (this.#state === 'over') return this.#deliver(data)
    const piece = data.subarray()
    let end = 0
    try {
      if (this.#state === 'talking') end = this.#follow(piece)
      this.#hold(piece.subarray(end))
    } catch (error) {
      this.#state = 'refused'
      return this.#rules.refuse(error as Error)
    }
    if (end > 0) this.#deliver(piece.subarray(0, end))
  }

  /** @returns where in the piece the negotiation ends, or the length of the piece @throws FrameError */
  #follow(piece: Uint8Array): number {
    let at = 0
    while (at < piece.byteLength) {
      const { from, to, isEnd } = this.#trail.next(piece, at)
      this.#message.append(piece.subarray(from, to))
      at = to
      if (!isEnd) continue
      if (++this.#messages > MESSAGES_MAX) throw new FrameError('a negotiation without end')
      // The reader takes off what is blank at the end, not just the new line.
      const message = decoder.decode(takeAll(this.#message).subarray()).trimEnd()
      if (SMALL_TALK.includes(message) || !this.#rules.isLast(message)) continue
      this.#state = 'chosen'
      return at
    }
    return at
  }

  #hold(rest: Uint8Array): void {
    if (rest.byteLength === 0) return
    this.#held.append(rest)
    if (this.#held.byteLength > HELD_MAX_BYTES) throw new FrameError('too much behind a negotiation')
  }
}

/** Watches a stream that was just opened, on either side, from its first byte. Libp2p sets its protocol when it is done. */
export function watchStream(stream: Stream, rules: StreamRules): void {
  assert.equal(stream.protocol, '', 'a stream has a protocol before it is negotiated')
  const negotiation = new Negotiation(stream, rules)
  const property = { enumerable: true, configurable: true }
  Object.defineProperty(stream, 'protocol', {
    ...property,
    get: () => '',
    set: (value: string) => {
      Object.defineProperty(stream, 'protocol', { ...property, writable: true, value })
      negotiation.end(rules.isFramed(value))
    },
  })
}

/** Ends a connection that sends more bytes than allowed, until the bound is lifted by calling what it returns. */
export function boundBytes(arriving: object, maxBytes: number, refuse: (error: Error) => void): () => void {
  const inside = insideOf(arriving)
  const deliver = inside.onData.bind(arriving)
  let left = maxBytes
  inside.onData = data => {
    left -= data.byteLength
    if (left >= 0) deliver(data)
    else refuse(new Error(`more than ${maxBytes} bytes`))
  }
  return () => {
    left = Number.POSITIVE_INFINITY
  }
}

/** Only the lengths: what a frame may be long is the protocol's business. */
function watchFrames(deliver: Inside['onData'], refuse: (error: Error) => void): Inside['onData'] {
  const trail = new FrameTrail(Number.POSITIVE_INFINITY)
  return data => {
    const piece = data.subarray()
    try {
      for (let at = 0; at < piece.byteLength; ) at = trail.next(piece, at).to
    } catch (error) {
      return refuse(error as Error)
    }
    deliver(piece)
  }
}

function insideOf(arriving: object): Inside {
  const inside = arriving as Inside
  assert.ok(
    typeof inside.onData === 'function' && inside.readBuffer instanceof Uint8ArrayList,
    '@libp2p/utils no longer takes what arrives in the method `onData`, and keeps it in `readBuffer`',
  )
  return inside
}

/** Empties a list. */
function takeAll(list: Uint8ArrayList): Uint8ArrayList {
  const all = list.sublist()
  list.consume(list.byteLength)
  return all
}
