/**
 * The Merkle tree of a swarm: by it each chunk can be checked alone, before it is passed on. A pure machine.
 *
 *   leaf = H( 0x00 ‖ chunk index, 4 bytes ‖ chunk )
 *   node = H( 0x01 ‖ left ‖ right )          the last node of an odd level goes up one level as it is
 *   root = H( 0x02 ‖ payload size, 8 bytes ‖ chunk size, 4 bytes ‖ top node )
 *
 * with H = BLAKE2b-160 (`digest.ts`) and big-endian numbers. The shape is that of RFC 6962, section 2.1.
 *
 * Rules:
 * - The root commits to the sizes, so that the shape is known before the first chunk: what a proof must look like is
 *   never the sender's to say, and no inner node passes for a chunk, nor a chunk for one at another place.
 * - A proof is the siblings on the way from the leaf to the top, lowest first. It has exactly the length that the place
 *   of its chunk asks for, and the chunk exactly its own: nothing can be hung on to either and still be passed on.
 * - Chunks and proofs come from peers: anything may stand in them, and the answer is yes or no. What is not a chunking,
 *   an index of ours that does not exist, and a proof of what was never seen are misuse, and assertions.
 * - A `Verifier` says yes to exactly what `verifyChunk` says yes to, and keeps what it has checked: a later chunk is
 *   hashed only up to the first node that is known, and can be passed on with its proof. It holds nothing before the
 *   first chunk is right, since anyone can announce roots, and after it 21 bytes for each of fewer than 2 × count + 13
 *   nodes.
 */
import assert from 'node:assert/strict'
import { type Chunking, isChunking } from './chunking.ts'
import { DIGEST_BYTES, digestOf } from './digest.ts'
import { MerkleNodes } from './merkle-nodes.ts'

/** A payload, as it was announced. */
export interface Rooted extends Chunking {
  readonly root: Uint8Array
}

/** A chunk with the digests that lead from it to the root. */
export interface ProvenChunk extends Rooted {
  readonly index: number
  readonly chunk: Uint8Array
  readonly proof: Uint8Array
}

/** The tree of a payload that is here as a whole. */
export interface Tree {
  readonly root: Uint8Array
  readonly chunkCount: number
  /** New bytes. @throws AssertionError where there is no such chunk */
  proof(index: number): Uint8Array
}

/** @throws AssertionError for what is no chunking */
export function chunkCountOf(sizeBytes: number, chunkBytes: number): number {
  assert.ok(isChunking(sizeBytes, chunkBytes))
  return Math.ceil(sizeBytes / chunkBytes)
}

/** How long a chunk is: only the last may be shorter. @throws AssertionError where there is no such chunk */
export function chunkBytesAt({ sizeBytes, chunkBytes }: Chunking, index: number): number {
  assert.ok(isIndex(index, chunkCountOf(sizeBytes, chunkBytes)))
  return Math.min(chunkBytes, sizeBytes - index * chunkBytes)
}

/** Hashes all of the payload at once, 1 to 2 ms for each MiB. It is not kept. */
export function merkleTree(payload: Uint8Array, chunkBytes: number): Tree {
  const sizeBytes = payload.byteLength
  const chunkCount = chunkCountOf(sizeBytes, chunkBytes)
  const nodes = new MerkleNodes(chunkCount)
  for (let index = 0; index < chunkCount; index++) {
    const start = index * chunkBytes
    nodes.set(0, index, leafOf(index, payload.subarray(start, start + chunkBytes)))
  }
  for (let level = 0; level < nodes.top; level++) {
    const width = nodes.widthOf(level)
    for (let left = 0; left < width; left += 2) {
      const digest = nodes.get(level, left)
      const isAlone = left + 1 === width
      nodes.set(level + 1, left >> 1, isAlone ? digest : nodeOf(digest, nodes.get(level, left + 1)))
    }
  }
  const root = rootOf({ sizeBytes, chunkBytes }, nodes.get(nodes.top, 0))
  const proof = (index: number): Uint8Array => {
    assert.ok(isIndex(index, chunkCount))
    return nodes.siblings(0, index)
  }
  return { root, chunkCount, proof }
}

/** How long the proof of a chunk is. @throws AssertionError where there is no such chunk */
export function proofBytesOf(chunkCount: number, index: number): number {
  assert.ok(isIndex(index, chunkCount))
  let siblings = 0
  let at = index
  for (let width = chunkCount; width > 1; width = (width + 1) >> 1) {
    if ((at ^ 1) < width) siblings++
    at >>= 1
  }
  return siblings * DIGEST_BYTES
}

/** Whether a chunk belongs to a payload. Anything may come from a peer: it never throws. */
export function verifyChunk({ root, sizeBytes, chunkBytes, index, chunk, proof }: ProvenChunk): boolean {
  const chunking = { sizeBytes, chunkBytes }
  if (!isChunking(sizeBytes, chunkBytes) || !fits(chunking, index, chunk, proof)) return false
  let digest = leafOf(index, chunk)
  let at = index
  let read = 0
  for (let width = chunkCountOf(sizeBytes, chunkBytes); width > 1; width = (width + 1) >> 1) {
    if ((at ^ 1) < width) {
      const sibling = proof.subarray(read, read + DIGEST_BYTES)
      digest = at % 2 === 0 ? nodeOf(digest, sibling) : nodeOf(sibling, digest)
      read += DIGEST_BYTES
    }
    at >>= 1
  }
  return isSame(rootOf(chunking, digest), root)
}

/** What has been checked of one payload, chunk by chunk, in any order. */
export class Verifier {
  readonly #of: Rooted
  readonly chunkCount: number
  #nodes: MerkleNodes | undefined

  /** The root stays the caller's and must not change. @throws AssertionError for what is no chunking */
  constructor(of: Rooted) {
    assert.equal(of.root.byteLength, DIGEST_BYTES)
    this.chunkCount = chunkCountOf(of.sizeBytes, of.chunkBytes)
    this.#of = of
  }

  /** Whether a chunk belongs to the payload. One that was accepted may come again. Nothing of what is given is kept. */
  accept(index: number, chunk: Uint8Array, proof: Uint8Array): boolean {
    if (!fits(this.#of, index, chunk, proof)) return false
    const { root, sizeBytes, chunkBytes } = this.#of
    // The first one is checked twice, so that wrong ones cost no memory.
    if (this.#nodes === undefined && !verifyChunk({ root, sizeBytes, chunkBytes, index, chunk, proof }))
      return false
    const nodes = this.#nodes ?? new MerkleNodes(this.chunkCount)
    this.#nodes = nodes
    // What is right if the chunk is: written down when that is known.
    const climbed: [level: number, at: number, digest: Uint8Array][] = []
    let digest = leafOf(index, chunk)
    let at = index
    let level = 0
    let read = 0
    for (; level < nodes.top && !nodes.has(level, at); level++) {
      climbed.push([level, at, digest])
      if (nodes.hasSibling(level, at)) {
        const sibling = proof.subarray(read, read + DIGEST_BYTES)
        climbed.push([level, at ^ 1, sibling])
        digest = at % 2 === 0 ? nodeOf(digest, sibling) : nodeOf(sibling, digest)
        read += DIGEST_BYTES
      }
      at >>= 1
    }
    const isRight = nodes.has(level, at)
      ? isSame(nodes.get(level, at), digest) && nodes.areSiblings(level, at, proof, read)
      : isSame(rootOf(this.#of, digest), root)
    if (!isRight) return false
    nodes.set(level, at, digest)
    for (const [level, at, digest] of climbed) nodes.set(level, at, digest)
    return true
  }

  /**
   * The proof of a chunk that was accepted, in new bytes.
   * @throws AssertionError for others, but where a proof has shown their digest
   */
  proof(index: number): Uint8Array {
    const nodes = this.#nodes
    assert.ok(nodes !== undefined && isIndex(index, this.chunkCount) && nodes.has(0, index))
    return nodes.siblings(0, index)
  }

  /** @throws AssertionError when what is kept does not hang together */
  check(): void {
    const nodes = this.#nodes
    if (nodes === undefined) return
    assert.deepEqual(rootOf(this.#of, nodes.get(nodes.top, 0)), this.#of.root)
    for (let level = 0; level < nodes.top; level++) {
      for (let left = 0; left < nodes.widthOf(level); left += 2) {
        const hasRight: boolean = nodes.hasSibling(level, left)
        if (hasRight) assert.equal(nodes.has(level, left), nodes.has(level, left + 1))
        if (!nodes.has(level, left)) continue
        const digest = nodes.get(level, left)
        const above: Uint8Array = hasRight ? nodeOf(digest, nodes.get(level, left + 1)) : digest
        assert.ok(nodes.has(level + 1, left >> 1))
        assert.deepEqual(nodes.get(level + 1, left >> 1), above)
      }
    }
  }
}

function isIndex(index: number, count: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < count
}

/** Whether a chunk and its proof have the lengths that belong to that place. */
function fits(of: Chunking, index: number, chunk: Uint8Array, proof: Uint8Array): boolean {
  const count = chunkCountOf(of.sizeBytes, of.chunkBytes)
  return (
    isIndex(index, count) &&
    chunk.byteLength === chunkBytesAt(of, index) &&
    proof.byteLength === proofBytesOf(count, index)
  )
}

// Written anew for each digest: nothing else runs while one is made.
const LEAF = new DataView(new ArrayBuffer(5))
const NODE = Uint8Array.of(1, ...new Uint8Array(2 * DIGEST_BYTES))
const ROOT = new DataView(new ArrayBuffer(13))
const LEAF_BYTES = new Uint8Array(LEAF.buffer)
const ROOT_BYTES = new Uint8Array(ROOT.buffer)
ROOT.setUint8(0, 2)

function leafOf(index: number, chunk: Uint8Array): Uint8Array {
  LEAF.setUint32(1, index)
  return digestOf(LEAF_BYTES, chunk)
}

function nodeOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  NODE.set(left, 1)
  NODE.set(right, 1 + DIGEST_BYTES)
  return digestOf(NODE)
}

function rootOf({ sizeBytes, chunkBytes }: Chunking, top: Uint8Array): Uint8Array {
  ROOT.setBigUint64(1, BigInt(sizeBytes))
  ROOT.setUint32(9, chunkBytes)
  return digestOf(ROOT_BYTES, top)
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
