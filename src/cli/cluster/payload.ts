/**
 * The messages that a cluster makes for itself, and the gate that judges them.
 *
 * Payload = checksum (20 bytes) ‖ sender (4 bytes, big-endian) ‖ sequence (8 bytes, big-endian) ‖ random filler.
 * The checksum is BLAKE2b-160 over all that follows it. Why a checksum and no flag: the gate has to do what a
 * real one does, read every byte and compute, and a spoilt message differs from a good one in a single bit.
 */
import { MESSAGE_ID_BYTES, messageId } from '../../core/hash.ts'
import type { Random } from '../../core/random.ts'

/** Room for the fields above and at least 32 bytes of filler, so that no two payloads are the same. */
export const PAYLOAD_MIN_BYTES = 64

const SENDER_AT = MESSAGE_ID_BYTES
const SEQUENCE_AT = SENDER_AT + 4
const FILLER_AT = SEQUENCE_AT + 8

export interface PayloadFields {
  readonly sender: number
  readonly sequence: number
  /** At least `PAYLOAD_MIN_BYTES`. */
  readonly sizeBytes: number
  /** Spoilt: one random bit of the checksum is wrong. */
  readonly spoilt: boolean
}

export function makePayload(
  { sender, sequence, sizeBytes, spoilt }: PayloadFields,
  random: Random,
): Uint8Array {
  const payload = new Uint8Array(sizeBytes)
  const view = new DataView(payload.buffer)
  view.setUint32(SENDER_AT, sender)
  view.setBigUint64(SEQUENCE_AT, BigInt(sequence))
  random.fill(payload.subarray(FILLER_AT))
  const checksum = checksumOf(payload)
  if (spoilt) {
    const bit = random.below(MESSAGE_ID_BYTES * 8)
    checksum[bit >> 3] = (checksum[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  }
  payload.set(checksum)
  return payload
}

/** True for a payload that `makePayload` made unspoilt and nobody has changed since. */
export function checkPayload(payload: Uint8Array): boolean {
  if (payload.byteLength < PAYLOAD_MIN_BYTES) return false
  const checksum = checksumOf(payload)
  return checksum.every((byte, index) => byte === payload[index])
}

function checksumOf(payload: Uint8Array): Uint8Array {
  return messageId('checksum', payload.subarray(MESSAGE_ID_BYTES))
}
