/**
 * How a payload may be cut into the chunks of a swarm: all of one size, and a last one with what is left.
 *
 * The limits bound what a peer's announcement can make others set aside. How many chunks there are is in `merkle.ts`.
 */
import { SWARM_PAYLOAD_MAX_BYTES } from '../core/limits.ts'

/** Smaller chunks would be mostly proof. */
export const CHUNK_MIN_BYTES = 2 ** 10

/** Larger ones would be passed on too late, since only a whole chunk can be checked. */
export const CHUNK_MAX_BYTES = 2 ** 20

/** What one payload may have: a bitfield of 512 bytes, and 160 KiB of digests. */
export const CHUNKS_MAX = 4_096

/** How a payload is cut. */
export interface Chunking {
  readonly sizeBytes: number
  /** A power of two. All chunks have this size, but the last one may be shorter. */
  readonly chunkBytes: number
}

/** Whether a payload of this size may be cut so. Takes any numbers. */
export function isChunking(sizeBytes: number, chunkBytes: number): boolean {
  return (
    Number.isInteger(sizeBytes) &&
    sizeBytes >= 1 &&
    sizeBytes <= SWARM_PAYLOAD_MAX_BYTES &&
    chunkBytes >= CHUNK_MIN_BYTES &&
    chunkBytes <= CHUNK_MAX_BYTES &&
    Number.isInteger(chunkBytes) &&
    (chunkBytes & (chunkBytes - 1)) === 0 &&
    sizeBytes <= CHUNKS_MAX * chunkBytes
  )
}
