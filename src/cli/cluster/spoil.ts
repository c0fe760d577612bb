/**
 * How a payload is spoilt when its format does not say: one wrong bit.
 *
 * The bit lies in the head (first 80 bytes: what a header check sees), the middle and the tail (last 80 bytes)
 * in turn, since gates tend to look at these with different care. Within a zone the bits are taken in strides
 * of a large prime, so that copies of one payload differ from one another until the zone is used up.
 */

/** 80 bytes is the length of a Bitcoin block header, and of much the same size in other ledgers. */
export const ZONE_BYTES = 80

const STRIDE = 1_000_003

/** How a format is spoilt: a new payload that its gate must refuse, another one for each `index` from 0 on. */
export type Spoil = (payload: Uint8Array, index: number) => Uint8Array

/** A copy of `payload` (at least 1 byte) with one bit flipped. */
export const flipBit: Spoil = (payload, index) => {
  const { from, to } = zone(payload.byteLength, index % 3)
  const bits = (to - from) * 8
  const bit = (Math.floor(index / 3) * STRIDE + Math.floor(bits / 2)) % bits
  const spoilt = payload.slice()
  const at = from + (bit >> 3)
  spoilt[at] = (spoilt[at] ?? 0) ^ (1 << (bit & 7))
  return spoilt
}

/** Short payloads have no middle, and then no tail: the head stands in for them. */
function zone(sizeBytes: number, which: number): { from: number; to: number } {
  const head = { from: 0, to: Math.min(ZONE_BYTES, sizeBytes) }
  const tail = { from: Math.max(head.to, sizeBytes - ZONE_BYTES), to: sizeBytes }
  const middle = { from: head.to, to: tail.from }
  const wanted = [head, middle, tail][which] ?? head
  return wanted.to > wanted.from ? wanted : head
}
