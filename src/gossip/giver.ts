/**
 * Answers asks: whoever announced an id sends its payload to those who ask.
 *
 * Rules:
 * - In the order of the asks, as many payloads in a frame as fill it; what is not there is named as lacking.
 * - A peer's queue moves on while little waits in its connection (`ROOM_BYTES`): what has been given to a socket stands
 *   in the way of all that is urgent.
 * - At most `QUEUE_MAX` asks wait of one peer; those beyond it are answered as lacking, which costs the asker a look
 *   elsewhere.
 * - Only what was asked for is sent, and for each ask one payload at most. Asks of a peer that is gone are forgotten.
 */
import type { Channel } from '../core/ports.ts'
import type { MessageKey, PeerId, Topic } from '../core/types.ts'
import { ASK_FRAME_FILL_BYTES, ASK_ITEMS_MAX, encodeAskFrame } from './ask-frame.ts'

/** What may wait in a connection before more is given to it. */
const ROOM_BYTES = 128 * 1_024

const QUEUE_MAX = 65_536

interface Wish {
  readonly topic: Topic
  readonly key: MessageKey
}

export class Giver {
  readonly #channel: Channel
  readonly #payloadOf: (topic: Topic, key: MessageKey) => Uint8Array | undefined
  readonly #queues = new Map<PeerId, { wishes: Wish[]; first: number }>()
  /** Payloads sent, and asks that could not be served. */
  readonly counts = { given: 0, givenBytes: 0, lacking: 0 }

  constructor(channel: Channel, payloadOf: (topic: Topic, key: MessageKey) => Uint8Array | undefined) {
    this.#channel = channel
    this.#payloadOf = payloadOf
  }

  asked(peer: PeerId, topic: Topic, keys: readonly MessageKey[]): void {
    let queue = this.#queues.get(peer)
    if (queue === undefined) {
      queue = { wishes: [], first: 0 }
      this.#queues.set(peer, queue)
    }
    const room = QUEUE_MAX - (queue.wishes.length - queue.first)
    for (const key of keys.slice(0, room)) queue.wishes.push({ topic, key })
    if (keys.length > room) this.#lack(peer, topic, keys.slice(room))
    this.serve(peer)
  }

  /** Goes on with a peer's asks; to be called when its connection has room again. */
  serve(peer: PeerId): void {
    const queue = this.#queues.get(peer)
    if (queue === undefined) return
    while (queue.first < queue.wishes.length && this.#channel.waitingBytes(peer) < ROOM_BYTES) {
      if (!this.#sendSome(peer, queue)) return
    }
    if (queue.first === queue.wishes.length) this.#queues.delete(peer)
  }

  forget(peer: PeerId): void {
    this.#queues.delete(peer)
  }

  /** One frame's worth, all of one topic. @returns whether the channel took it */
  #sendSome(peer: PeerId, queue: { wishes: Wish[]; first: number }): boolean {
    const topic = queue.wishes[queue.first]?.topic ?? ''
    const payloads: Uint8Array[] = []
    const lack: MessageKey[] = []
    let sizeBytes = 0
    let at = queue.first
    for (; at < queue.wishes.length && payloads.length < ASK_ITEMS_MAX && lack.length < ASK_ITEMS_MAX; at++) {
      const wish = queue.wishes[at]
      if (wish === undefined || wish.topic !== topic) break
      const payload = this.#payloadOf(topic, wish.key)
      if (payload === undefined) {
        lack.push(wish.key)
        continue
      }
      if (payloads.length > 0 && sizeBytes + payload.byteLength > ASK_FRAME_FILL_BYTES) break
      payloads.push(payload)
      sizeBytes += payload.byteLength
    }
    if (!this.#channel.send(peer, encodeAskFrame(topic, { payloads, lack }))) return false
    this.counts.given += payloads.length
    this.counts.givenBytes += sizeBytes
    this.counts.lacking += lack.length
    queue.first = at
    // Cut off in bulk, so that taking from the front is cheap.
    if (queue.first > 1_024 && queue.first * 2 > queue.wishes.length) {
      queue.wishes = queue.wishes.slice(queue.first)
      queue.first = 0
    }
    return true
  }

  #lack(peer: PeerId, topic: Topic, keys: readonly MessageKey[]): void {
    this.counts.lacking += keys.length
    this.#channel.send(peer, encodeAskFrame(topic, { lack: keys.slice(0, ASK_ITEMS_MAX) }))
  }
}
