/**
 * A frame of the protocol `/floodgate/<network>/ask/1`: what two neighbours tell each other of a topic's messages.
 *
 *   message AskFrame {
 *     string topic = 1;             // the topic of the messages, not that of their announcements
 *     bytes ask = 2;                // up to 256 ids of 20 bytes, one behind the other: send me these
 *     bytes lack = 3;               // up to 256 ids: asked for, and not to be had here
 *     repeated bytes payloads = 4;  // up to 256, in the order of the asks; what their ids are, the receiver computes
 *     bytes offer = 5;              // an announcement (`announcement.ts`) for this neighbour alone
 *   }
 *
 * Every part but the topic may be missing. Whoever announced an id answers an ask for it with the payload.
 */
import assert from 'node:assert/strict'
import { MESSAGE_ID_BYTES, messageKey } from '../core/hash.ts'
import { TOPIC_MAX_BYTES } from '../core/limits.ts'
import type { MessageId, MessageKey, Topic } from '../core/types.ts'
import { bytes, type Decoded, message, repeated, text } from '../core/wire.ts'
import { ANNOUNCEMENT_MAX_BYTES } from './announcement.ts'

/** How many ids or payloads one frame holds at most. */
export const ASK_ITEMS_MAX = 256

/** The largest payload that is asked for as a whole; larger ones travel as swarms. */
export const ASK_PAYLOAD_MAX_BYTES = 4 * 1_024 * 1_024

/** A frame is filled with payloads up to this size; one that is larger travels alone. */
export const ASK_FRAME_FILL_BYTES = 32 * 1_024

/** The longest frame: one payload of the largest size, or as many small ones as fit the fill. */
export const ASK_FRAME_MAX_BYTES = ASK_PAYLOAD_MAX_BYTES + 64 * 1_024

const IDS_MAX_BYTES = ASK_ITEMS_MAX * MESSAGE_ID_BYTES

export interface AskFrame {
  readonly topic: Topic
  /** Messages that the sender wants. */
  readonly ask: readonly MessageKey[]
  readonly lack: readonly MessageKey[]
  /** When read, views of a frame of at most `ASK_FRAME_FILL_BYTES` or twice their size; else they own their bytes. */
  readonly payloads: readonly Uint8Array[]
  readonly offer: Uint8Array
}

const FRAME = message({
  topic: text(1, { minBytes: 1, maxBytes: TOPIC_MAX_BYTES }),
  ask: bytes(2, { maxBytes: IDS_MAX_BYTES }),
  lack: bytes(3, { maxBytes: IDS_MAX_BYTES }),
  payloads: repeated(bytes(4, { maxBytes: ASK_PAYLOAD_MAX_BYTES }), { max: ASK_ITEMS_MAX }),
  offer: bytes(5, { maxBytes: ANNOUNCEMENT_MAX_BYTES }),
})

const NO_BYTES = new Uint8Array(0)
const NO_KEYS: readonly MessageKey[] = []
const NO_PAYLOADS: readonly Uint8Array[] = []

export function encodeAskFrame(topic: Topic, parts: Partial<Omit<AskFrame, 'topic'>>): Uint8Array {
  const { ask = NO_KEYS, lack = NO_KEYS, payloads = NO_PAYLOADS, offer = NO_BYTES } = parts
  const frame = FRAME.encode({ topic, ask: joined(ask), lack: joined(lack), payloads, offer })
  assert.ok(frame.byteLength <= ASK_FRAME_MAX_BYTES)
  return frame
}

/** Reads what a peer sent. Never throws. */
export function readAskFrame(frame: Uint8Array): Decoded<AskFrame> {
  if (frame.byteLength > ASK_FRAME_MAX_BYTES) return { problem: `${frame.byteLength} bytes`, isExcess: false }
  const decoded = FRAME.decode(frame)
  if (decoded.problem !== undefined) return decoded
  const { ask, lack } = decoded.value
  if (ask.byteLength % MESSAGE_ID_BYTES !== 0 || lack.byteLength % MESSAGE_ID_BYTES !== 0) {
    return { problem: 'ids: not a whole number of them', isExcess: false }
  }
  const payloads = decoded.value.payloads.map(payload => tightly(payload, frame))
  return { value: { ...decoded.value, ask: keysIn(ask), lack: keysIn(lack), payloads } }
}

/** The id that a key was made from. */
export function idOf(key: MessageKey): MessageId {
  return Buffer.from(key, 'latin1') as unknown as MessageId
}

/**
 * A payload that keeps little more than itself in memory. Why: a frame may be filled with what nobody wants, and one
 * byte that is accepted would hold 4 MiB for as long as it is kept.
 */
function tightly(payload: Uint8Array, frame: Uint8Array): Uint8Array {
  const isTight = frame.byteLength <= Math.max(ASK_FRAME_FILL_BYTES, 2 * payload.byteLength)
  return isTight ? payload : payload.slice()
}

function joined(keys: readonly MessageKey[]): Uint8Array {
  if (keys.length === 0) return NO_BYTES
  return Buffer.from(keys.join(''), 'latin1')
}

function keysIn(ids: Uint8Array): readonly MessageKey[] {
  if (ids.byteLength === 0) return NO_KEYS
  const keys: MessageKey[] = []
  for (let at = 0; at < ids.byteLength; at += MESSAGE_ID_BYTES) {
    keys.push(messageKey(ids.subarray(at, at + MESSAGE_ID_BYTES)))
  }
  return keys
}
