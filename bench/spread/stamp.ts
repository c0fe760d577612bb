/**
 * What the messages of this benchmark carry: a number, and when they were sent.
 *
 * Payload = number (4 bytes) ‖ sent at (8 bytes, a float: microseconds of the machine's clock, which all hosts of a lab
 * share) ‖ random bytes. So whoever receives a message knows its latency without asking anybody.
 */
import { randomFillSync } from 'node:crypto'

export const STAMP_BYTES = 12

export interface Stamp {
  readonly number: number
  readonly sentAtUs: number
}

/** Random, with room for the stamp. Made before the clock is read: filling megabytes takes milliseconds. */
export function makePayload(sizeBytes: number): Uint8Array {
  return randomFillSync(new Uint8Array(sizeBytes))
}

/** Writes the time of now into the payload. */
export function stamp(payload: Uint8Array, number: number): void {
  const view = new DataView(payload.buffer, payload.byteOffset)
  view.setUint32(0, number)
  view.setFloat64(4, clockUs())
}

export function readStamp(payload: Uint8Array): Stamp {
  const view = new DataView(payload.buffer, payload.byteOffset)
  return { number: view.getUint32(0), sentAtUs: view.getFloat64(4) }
}

/** The clock of the machine: the same in every process on it. */
export function clockUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}
