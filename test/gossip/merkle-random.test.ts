/**
 * The Merkle tree of a swarm on random payloads, beside the naive twin: whatever is changed, a chunk is refused, and a
 * verifier agrees with `verifyChunk` in any order. `SEED` repeats a run.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Random } from '../../src/core/random.ts'
import { merkleTree, type ProvenChunk, proofBytesOf, Verifier, verifyChunk } from '../../src/gossip/merkle.ts'
import { at, flipped, naiveTree, proven } from './merkle-twin.ts'

const KIB = 1_024

const { SEED } = process.env
const seed = SEED === undefined ? {} : { seed: Number(SEED) }

/** A payload of few chunks, as a rule, of the smallest size. */
const cut = fc.record({
  chunkBytes: fc.constantFrom(KIB, KIB, KIB, 2 * KIB, 8 * KIB),
  count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 70 })),
  missing: fc.oneof(fc.constant(0), fc.nat({ max: KIB - 1 })),
  seed: fc.string(),
})

function payloadOf(
  random: Random,
  { chunkBytes, count, missing }: { chunkBytes: number; count: number; missing: number },
): Uint8Array {
  const payload = new Uint8Array(count * chunkBytes - missing)
  random.fill(payload)
  return payload
}

describe('a random payload', () => {
  it('has the tree of the naive twin, and all its proofs are right', () => {
    const property = fc.property(cut, one => {
      const payload = payloadOf(new Random(one.seed), one)
      const { chunkBytes } = one
      const tree = merkleTree(payload, chunkBytes)
      const naive = naiveTree(payload, chunkBytes)
      assert.deepEqual(tree.root, naive.root)
      assert.equal(tree.chunkCount, naive.chunks.length)
      for (const [index, chunk] of naive.chunks.entries()) {
        const proof = tree.proof(index)
        assert.deepEqual(proof, naive.proofs[index])
        assert.equal(proof.byteLength, proofBytesOf(tree.chunkCount, index))
        assert.ok(
          verifyChunk({ root: tree.root, sizeBytes: payload.byteLength, chunkBytes, index, chunk, proof }),
        )
      }
    })
    fc.assert(property, { numRuns: 60, ...seed })
  })

  it('is refused with any bit turned', () => {
    const property = fc.property(cut, one => {
      const random = new Random(one.seed)
      const payload = payloadOf(random, one)
      const good = proven(payload, one.chunkBytes, random.below(one.count))
      for (const key of ['chunk', 'proof', 'root'] as const) {
        if (good[key].byteLength === 0) continue
        const bad = { ...good, [key]: flipped(good[key], random.below(good[key].byteLength * 8)) }
        assert.equal(verifyChunk(bad), false, key)
      }
      for (const key of ['index', 'sizeBytes', 'chunkBytes'] as const) {
        for (let bit = 0; bit < 31; bit++)
          assert.equal(verifyChunk({ ...good, [key]: good[key] ^ (1 << bit) }), false, `${key}, bit ${bit}`)
      }
    })
    fc.assert(property, { numRuns: 100, ...seed })
  })
})

describe('a verifier', () => {
  it('says what verifyChunk says, in any order, and proves what it has accepted', () => {
    const counts = { right: 0, wrong: 0, known: 0 }
    const property = fc.property(cut, one => {
      const random = new Random(one.seed)
      const payload = payloadOf(random, one)
      const { root, chunks, proofs } = naiveTree(payload, one.chunkBytes)
      const of = { root, sizeBytes: payload.byteLength, chunkBytes: one.chunkBytes }
      const verifier = new Verifier(of)
      const accepted = new Set<number>()
      for (let step = 0; step < 3 * one.count; step++) {
        const index = random.below(one.count)
        const spoilt = spoil({ ...of, index, chunk: at(chunks, index), proof: at(proofs, index) }, random)
        const isRight = verifyChunk(spoilt)
        assert.equal(verifier.accept(spoilt.index, spoilt.chunk, spoilt.proof), isRight)
        counts[isRight ? 'right' : 'wrong']++
        if (!isRight && accepted.has(index)) counts.known++
        if (isRight) accepted.add(spoilt.index)
        if (step % 8 === 0) verifier.check()
      }
      verifier.check()
      for (const index of accepted) assert.deepEqual(verifier.proof(index), proofs[index])
    })
    fc.assert(property, { numRuns: 60, ...seed })
    // Neither answer is checked in name only.
    assert.ok(counts.right > 300 && counts.wrong > 300 && counts.known > 100, JSON.stringify(counts))
  })
})

/** Something of it wrong, half of the time. */
function spoil(good: ProvenChunk, random: Random): ProvenChunk {
  const { index, chunk, proof } = good
  const way = random.below(8)
  if (way === 0) return { ...good, chunk: flipped(chunk, random.below(chunk.byteLength * 8)) }
  if (way === 1 && proof.byteLength > 0)
    return { ...good, proof: flipped(proof, random.below(proof.byteLength * 8)) }
  if (way === 2) return { ...good, proof: proof.subarray(random.below(proof.byteLength + 1)) }
  if (way === 3) return { ...good, index: index ^ (1 << random.below(7)) }
  return good
}
