/**
 * The digests of a Merkle tree by level, in one block of memory: the leaves on level 0, one node on the top level.
 * Some may not be known. An odd last node stands on the next level once more, as it is.
 */
import { DIGEST_BYTES } from './digest.ts'

export class MerkleNodes {
  /** Where each level begins, counted in nodes, and where the last one ends. */
  readonly #starts: readonly number[]
  readonly #digests: Uint8Array
  readonly #isKnown: Uint8Array

  constructor(chunkCount: number) {
    const starts = [0, chunkCount]
    let count = chunkCount
    for (let width = chunkCount; width > 1; ) {
      width = (width + 1) >> 1
      count += width
      starts.push(count)
    }
    this.#starts = starts
    this.#digests = new Uint8Array(count * DIGEST_BYTES)
    this.#isKnown = new Uint8Array(count)
  }

  /** The level of the one node over all others. */
  get top(): number {
    return this.#starts.length - 2
  }

  widthOf(level: number): number {
    return this.#start(level + 1) - this.#start(level)
  }

  has(level: number, at: number): boolean {
    return this.#isKnown[this.#start(level) + at] === 1
  }

  /** A view. */
  get(level: number, at: number): Uint8Array {
    const start = (this.#start(level) + at) * DIGEST_BYTES
    return this.#digests.subarray(start, start + DIGEST_BYTES)
  }

  set(level: number, at: number, digest: Uint8Array): void {
    const node = this.#start(level) + at
    this.#digests.set(digest, node * DIGEST_BYTES)
    this.#isKnown[node] = 1
  }

  hasSibling(level: number, at: number): boolean {
    return (at ^ 1) < this.widthOf(level)
  }

  /** The siblings on the way up from a node, which must be known. New bytes. */
  siblings(level: number, at: number): Uint8Array {
    const places = this.#siblings(level, at)
    const proof = new Uint8Array(places.length * DIGEST_BYTES)
    for (const [place, start] of places.entries())
      proof.set(this.#digests.subarray(start, start + DIGEST_BYTES), place * DIGEST_BYTES)
    return proof
  }

  /** Whether those siblings are what a proof has from a byte on to its end. */
  areSiblings(level: number, at: number, proof: Uint8Array, from: number): boolean {
    const places = this.#siblings(level, at)
    if (proof.byteLength - from !== places.length * DIGEST_BYTES) return false
    for (const [place, start] of places.entries()) {
      const offset = from + place * DIGEST_BYTES
      // Byte by byte: there are few, and a view of each would take longer than comparing them.
      for (let byte = 0; byte < DIGEST_BYTES; byte++)
        if (this.#digests[start + byte] !== proof[offset + byte]) return false
    }
    return true
  }

  /** At which bytes they begin. */
  #siblings(level: number, at: number): number[] {
    const starts: number[] = []
    let node = at
    for (let up = level; up < this.top; up++) {
      if (this.hasSibling(up, node)) starts.push((this.#start(up) + (node ^ 1)) * DIGEST_BYTES)
      node >>= 1
    }
    return starts
  }

  #start(level: number): number {
    return this.#starts[level] ?? 0
  }
}
