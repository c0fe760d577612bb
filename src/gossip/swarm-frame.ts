/**
 * A frame of the protocol `/floodgate/<network>/swarm/1`: what two neighbours tell each other of one swarm.
 *
 *   message SwarmFrame {
 *     bytes key = 1;                // 16 bytes, which swarm: `swarmKey`
 *     repeated uint32 have = 2;     // chunks that the sender holds since its last frame; a promise to serve them
 *     bool complete = 3;            // it holds all of them, and wants none
 *     repeated uint32 ask = 4;      // chunks that it lacks and the receiver has named
 *     repeated uint32 lack = 5;     // chunks that it was asked for and cannot serve
 *     Chunk chunk = 6;              // { uint32 index = 1; bytes data = 2; bytes proof = 3 }
 *     repeated uint32 got = 7;      // chunks that came from the receiver of this frame: an acknowledgement
 *   }
 *
 * Every part but the key may be missing, and any may come together. A frame with a key alone says that its sender
 * knows the swarm and wants to be told what the receiver has.
 */
import { messageKey } from '../core/hash.ts'
import { bool, bytes, type Decoded, message, nested, optional, repeated, uint } from '../core/wire.ts'
import type { SwarmHead } from './announcement.ts'
import { CHUNK_MAX_BYTES, CHUNKS_MAX } from './chunking.ts'
import { digestOf } from './digest.ts'
import type { SwarmKey } from './swarm.ts'

export interface SwarmChunk {
  readonly index: number
  /** When read, a view of the frame. */
  readonly data: Uint8Array
  readonly proof: Uint8Array
}

export interface SwarmFrame {
  readonly key: SwarmKey
  readonly have: readonly number[]
  readonly complete: boolean
  readonly ask: readonly number[]
  readonly lack: readonly number[]
  readonly chunk: SwarmChunk | undefined
  readonly got: readonly number[]
}

/** How many chunks one frame may ask for. */
export const ASKS_MAX = 64

const KEY_BYTES = 16

const index = (number: number) => uint(number, { max: CHUNKS_MAX - 1 })

const FRAME = message({
  key: bytes(1, { minBytes: KEY_BYTES, maxBytes: KEY_BYTES }),
  have: repeated(index(2), { max: CHUNKS_MAX }),
  complete: bool(3),
  ask: repeated(index(4), { max: ASKS_MAX }),
  lack: repeated(index(5), { max: ASKS_MAX }),
  got: repeated(index(7), { max: CHUNKS_MAX }),
  chunk: optional(
    nested(
      6,
      message({
        index: index(1),
        data: bytes(2, { minBytes: 1, maxBytes: CHUNK_MAX_BYTES }),
        // A digest of 20 bytes for each level of the highest tree.
        proof: bytes(3, { maxBytes: 20 * Math.log2(CHUNKS_MAX) }),
      }),
    ),
  ),
})

export const SWARM_FRAME_MAX_BYTES = FRAME.frameMaxBytes

/**
 * Names a swarm: the first 16 bytes of BLAKE2b-160(id ‖ root ‖ size (8 bytes) ‖ chunk size (4 bytes) ‖ BLAKE2b-160(header)),
 * with big-endian numbers.
 *
 * Why the sizes, which the root commits to already: who announces the root of another with other sizes, under his own
 * name, would take the key of the true swarm where he comes first. There every chunk of it would look wrong, and those
 * who send them would be blamed.
 */
export function swarmKey({ id, root, sizeBytes, chunkBytes, header }: SwarmHead): SwarmKey {
  const sizes = Buffer.alloc(12)
  sizes.writeBigUInt64BE(BigInt(sizeBytes))
  sizes.writeUInt32BE(chunkBytes, 8)
  return messageKey(digestOf(id, root, sizes, digestOf(header)).subarray(0, KEY_BYTES))
}

export function encodeFrame(frame: SwarmFrame): Uint8Array {
  return FRAME.encode({ ...frame, key: Buffer.from(frame.key, 'latin1') })
}

/** Reads what a peer sent; the chunk is a view of the bytes. Never throws. */
export function readFrame(bytes: Uint8Array): Decoded<SwarmFrame> {
  const decoded = FRAME.decode(bytes)
  if (decoded.problem !== undefined) return decoded
  return { value: { ...decoded.value, key: messageKey(decoded.value.key) } }
}
