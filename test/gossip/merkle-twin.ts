/**
 * The Merkle tree of a swarm, naively: by the recursive definition of RFC 6962, section 2.1, which splits at the
 * largest power of two below the number of leaves, where the machine joins neighbours from below. And chunks as a sender has them.
 */
import { digestOf } from '../../src/gossip/digest.ts'
import { merkleTree, type ProvenChunk } from '../../src/gossip/merkle.ts'

export interface NaiveTree {
  readonly root: Uint8Array
  readonly chunks: readonly Uint8Array[]
  readonly proofs: readonly Uint8Array[]
}

export function naiveTree(payload: Uint8Array, chunkBytes: number): NaiveTree {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < payload.byteLength; at += chunkBytes)
    chunks.push(payload.subarray(at, at + chunkBytes))
  const leaves = chunks.map((chunk, index) => digestOf(Uint8Array.of(0), number(index, 4), chunk))
  return {
    root: digestOf(Uint8Array.of(2), number(payload.byteLength, 8), number(chunkBytes, 4), topOf(leaves)),
    chunks,
    proofs: leaves.map((_, index) => joined(pathOf(leaves, index))),
  }
}

type Digests = readonly Uint8Array[]

function topOf(leaves: Digests): Uint8Array {
  const [only = new Uint8Array(0)] = leaves
  if (leaves.length === 1) return only
  const [left, right] = halves(leaves)
  return digestOf(Uint8Array.of(1), topOf(left), topOf(right))
}

function pathOf(leaves: Digests, index: number): Digests {
  if (leaves.length === 1) return []
  const [left, right] = halves(leaves)
  return index < left.length
    ? [...pathOf(left, index), topOf(right)]
    : [...pathOf(right, index - left.length), topOf(left)]
}

function halves(leaves: Digests): [left: Digests, right: Digests] {
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return [leaves.slice(0, split), leaves.slice(split)]
}

function number(value: number, sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, place) =>
    Math.floor(value / 2 ** (8 * (sizeBytes - 1 - place))),
  )
}

function joined(parts: Digests): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

/** A chunk of a payload with its proof, as a sender has it. */
export function proven(payload: Uint8Array, chunkBytes: number, index: number): ProvenChunk {
  const tree = merkleTree(payload, chunkBytes)
  const chunk = payload.subarray(index * chunkBytes, (index + 1) * chunkBytes)
  return {
    root: tree.root,
    sizeBytes: payload.byteLength,
    chunkBytes,
    index,
    chunk,
    proof: tree.proof(index),
  }
}

/** A copy with one bit turned over. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

/** One of a list; none are empty bytes. */
export function at(list: readonly Uint8Array[], index: number): Uint8Array {
  return list[index] ?? new Uint8Array(0)
}
