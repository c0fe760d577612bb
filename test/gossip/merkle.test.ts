/**
 * The Merkle tree of a swarm: the vectors of `docs/protocols.md`, the sizes, what must not pass for a chunk, and what a
 * verifier keeps. The vectors come from Python's `hashlib.blake2b(data, digest_size=20)`.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Random } from '../../src/core/random.ts'
import { digestOf } from '../../src/gossip/digest.ts'
import {
  chunkBytesAt,
  chunkCountOf,
  merkleTree,
  type ProvenChunk,
  proofBytesOf,
  Verifier,
  verifyChunk,
} from '../../src/gossip/merkle.ts'
import { at, flipped, naiveTree, proven } from './merkle-twin.ts'

const KIB = 1_024

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251)

/** Each payload's byte i is i mod 251. */
const vectors: { sizeBytes: number; chunkBytes: number; root: string; index: number; proof: string }[] = [
  { sizeBytes: 1, chunkBytes: KIB, root: 'b9d507b69bc89700ab44476fb8060452c34c2e95', index: 0, proof: '' },
  {
    sizeBytes: 1_025,
    chunkBytes: KIB,
    root: '2e32e9d50fab0d2da2d933de0ce04c5c09a7d70f',
    index: 1,
    proof: 'a6d5ea0a7615263ad36d24cbe045c89a543fbd38',
  },
  {
    sizeBytes: 5_000,
    chunkBytes: KIB,
    root: 'a152c62523986c6c6dc91d6b37f099fe7879317b',
    index: 2,
    proof:
      '9a4689043acc311d036e2230b5dee9ddfa38940cfa0dbc345da9722767aab412183fac307af6345ddd73a1275dc864e56dd0797932351e2648627dea',
  },
  {
    sizeBytes: 5_000,
    chunkBytes: KIB,
    root: 'a152c62523986c6c6dc91d6b37f099fe7879317b',
    index: 4,
    proof: 'f8956467731b6007f8ccc282a7c63c45ec4fc8d9',
  },
  {
    sizeBytes: 100_000,
    chunkBytes: 16 * KIB,
    root: 'e3b6278a64b1b81328b409a744058b926b9f16af',
    index: 5,
    proof:
      '6409054b081af2a06496abe47c06f4b771aa418a7b69ffe4702fbd98eb30ab2b474325d2ad424953767289d25d37b68b4dca9935e1b6be193a7f943b',
  },
]

describe('the vectors', () => {
  for (const { sizeBytes, chunkBytes, root, index, proof } of vectors) {
    it(`${sizeBytes} bytes in chunks of ${chunkBytes}, chunk ${index}`, () => {
      const payload = counting(sizeBytes)
      const one = proven(payload, chunkBytes, index)
      assert.deepEqual([hex(one.root), hex(one.proof)], [root, proof])
      const naive = naiveTree(payload, chunkBytes)
      assert.deepEqual([hex(naive.root), hex(naive.proofs[index] ?? one.chunk)], [root, proof])
      assert.ok(verifyChunk(one))
    })
  }

  it('have another root for another cut of the same bytes', () => {
    const payload = counting(1_000)
    assert.notDeepEqual(merkleTree(payload, KIB).root, merkleTree(payload, 2 * KIB).root)
  })
})

describe('the sizes', () => {
  const counts: [sizeBytes: number, chunkBytes: number, count: number, last: number][] = [
    [1, KIB, 1, 1],
    [KIB, KIB, 1, KIB],
    [KIB + 1, KIB, 2, 1],
    [4_096 * KIB, KIB, 4_096, KIB],
    [64 * KIB * KIB, 16 * KIB, 4_096, 16 * KIB],
    [64 * KIB * KIB - 1, KIB * KIB, 64, KIB * KIB - 1],
  ]
  for (const [sizeBytes, chunkBytes, count, last] of counts) {
    it(`${sizeBytes} bytes are ${count} chunks of ${chunkBytes}, the last one ${last}`, () => {
      assert.equal(chunkCountOf(sizeBytes, chunkBytes), count)
      assert.equal(chunkBytesAt({ sizeBytes, chunkBytes }, count - 1), last)
      assert.equal(chunkBytesAt({ sizeBytes, chunkBytes }, 0), count === 1 ? last : chunkBytes)
    })
  }

  const proofs: [count: number, siblings: number[]][] = [
    [1, [0]],
    [2, [1, 1]],
    [3, [2, 2, 1]],
    [5, [3, 3, 3, 3, 1]],
    [7, [3, 3, 3, 3, 3, 3, 2]],
  ]
  for (const [count, siblings] of proofs) {
    it(`a tree of ${count} has proofs of ${siblings} digests`, () => {
      assert.deepEqual(
        siblings.map((_, index) => proofBytesOf(count, index)),
        siblings.map(digests => digests * 20),
      )
    })
  }

  const wrong: [sizeBytes: number, chunkBytes: number][] = [
    [0, KIB],
    [-1, KIB],
    [1.5, KIB],
    [Number.NaN, KIB],
    [64 * KIB * KIB + 1, KIB * KIB],
    [4_096 * KIB + 1, KIB],
    [KIB, 512],
    [KIB, 2 * KIB * KIB],
    [KIB, 3 * KIB],
    [KIB, 1_024.000_000_000_000_2],
    [KIB, Number.NaN],
  ]
  for (const [sizeBytes, chunkBytes] of wrong) {
    it(`${sizeBytes} bytes in chunks of ${chunkBytes} are misuse, and no chunk is right`, () => {
      const root = new Uint8Array(20)
      assert.throws(() => chunkCountOf(sizeBytes, chunkBytes), assert.AssertionError)
      assert.throws(() => new Verifier({ root, sizeBytes, chunkBytes }), assert.AssertionError)
      const chunk = new Uint8Array(KIB)
      assert.equal(verifyChunk({ root, sizeBytes, chunkBytes, index: 0, chunk, proof: root }), false)
    })
  }

  it('are not asked of chunks that there are not', () => {
    const tree = merkleTree(counting(3_000), KIB)
    const verifier = new Verifier({ root: tree.root, sizeBytes: 3_000, chunkBytes: KIB })
    assert.ok(verifier.accept(0, counting(3_000).subarray(0, KIB), tree.proof(0)))
    for (const index of [-1, 3, 0.5, Number.NaN]) {
      assert.throws(() => tree.proof(index), assert.AssertionError)
      assert.throws(() => verifier.proof(index), assert.AssertionError)
      assert.throws(() => proofBytesOf(3, index), assert.AssertionError)
      assert.throws(() => chunkBytesAt({ sizeBytes: 3_000, chunkBytes: KIB }, index), assert.AssertionError)
      assert.equal(verifier.accept(index, new Uint8Array(KIB), new Uint8Array(40)), false)
    }
    assert.throws(
      () => new Verifier({ root: new Uint8Array(19), sizeBytes: 1, chunkBytes: KIB }),
      assert.AssertionError,
    )
  })
})

describe('what is no chunk of a payload', () => {
  const payload = counting(5 * KIB)
  const good = proven(payload, KIB, 2)
  const zero = Uint8Array.of(0)
  const chunkOf = (index: number): Uint8Array => payload.subarray(index * KIB, (index + 1) * KIB)

  const cases: { id: string; change: Partial<ProvenChunk> }[] = [
    { id: 'another chunk in its place', change: { chunk: chunkOf(1) } },
    { id: 'the chunk at another place', change: { index: 3 } },
    { id: 'the chunk with the proof of its neighbour', change: { proof: merkleTree(payload, KIB).proof(3) } },
    { id: 'a chunk that is too short', change: { chunk: good.chunk.subarray(1) } },
    { id: 'a chunk that is too long', change: { chunk: Uint8Array.from([...good.chunk, 0]) } },
    { id: 'an empty chunk', change: { chunk: new Uint8Array(0) } },
    { id: 'a proof without its end', change: { proof: good.proof.subarray(0, -20) } },
    { id: 'a proof without its beginning', change: { proof: good.proof.subarray(20) } },
    { id: 'a proof of half digests', change: { proof: good.proof.subarray(0, -1) } },
    { id: 'a proof with more behind it', change: { proof: Uint8Array.from([...good.proof, ...good.root]) } },
    { id: 'no proof', change: { proof: new Uint8Array(0) } },
    { id: 'a root that is too short', change: { root: good.root.subarray(0, 19) } },
    { id: 'no root', change: { root: new Uint8Array(0) } },
    { id: 'the payload longer', change: { sizeBytes: 5 * KIB + 1 } },
    { id: 'the last chunk shorter', change: { sizeBytes: 5 * KIB - 1 } },
    { id: 'the same count in larger chunks', change: { chunkBytes: 2 * KIB } },
    { id: 'an index beyond', change: { index: 5 } },
    { id: 'an index below', change: { index: -1 } },
    { id: 'half an index', change: { index: 2.5 } },
    { id: 'an index that is none', change: { index: Number.NaN } },
    { id: 'an index of 2^32 more', change: { index: 2 + 2 ** 32 } },
  ]
  for (const { id, change } of cases) {
    it(`${id} is refused`, () => assert.equal(verifyChunk({ ...good, ...change }), false))
  }

  it('an inner node, shown as a chunk of a smaller payload, is refused', () => {
    // Two leaves as one "chunk": what an attacker could do where leaves and nodes are hashed alike.
    const pair = Buffer.concat([
      digestOf(zero, new Uint8Array(4), chunkOf(0)),
      digestOf(zero, Uint8Array.of(0, 0, 0, 1), chunkOf(1)),
    ])
    const top = digestOf(Uint8Array.of(1), pair)
    const sizes = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 4, 0)
    const root = digestOf(sizes, top)
    const claim = { root, sizeBytes: 40, chunkBytes: KIB, index: 0, chunk: pair, proof: new Uint8Array(0) }
    assert.equal(verifyChunk(claim), false)
    // The same claim with a leaf below the root is right: it is the leaf's mark that makes the difference.
    const leaf = digestOf(zero, new Uint8Array(4), pair)
    assert.ok(verifyChunk({ ...claim, root: digestOf(sizes, leaf) }))
  })

  it('a chunk that its origin made too short is refused, whatever the root says', () => {
    const chunks = [chunkOf(0).subarray(0, 100), chunkOf(1)]
    const [left = zero, right = zero] = chunks.map((chunk, index) =>
      digestOf(zero, Uint8Array.of(0, 0, 0, index), chunk),
    )
    const sizes = Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 4, 0)
    const root = digestOf(sizes, digestOf(Uint8Array.of(1), left, right))
    const of = { root, sizeBytes: 2 * KIB, chunkBytes: KIB }
    assert.ok(verifyChunk({ ...of, index: 1, chunk: at(chunks, 1), proof: left }))
    assert.equal(verifyChunk({ ...of, index: 0, chunk: at(chunks, 0), proof: right }), false)
    assert.equal(new Verifier(of).accept(0, at(chunks, 0), right), false)
  })

  it('the top node is no root', () => {
    const only = payload.subarray(0, 10)
    const leaf = digestOf(zero, new Uint8Array(4), only)
    const claim = { sizeBytes: 10, chunkBytes: KIB, index: 0, chunk: only, proof: new Uint8Array(0) }
    assert.ok(verifyChunk({ ...claim, root: merkleTree(only, KIB).root }))
    assert.equal(verifyChunk({ ...claim, root: leaf }), false)
  })

  it('equal chunks have leaves of their own: one is not taken for the other', () => {
    const same = new Uint8Array(4 * KIB)
    const second = proven(same, KIB, 1)
    assert.ok(verifyChunk(second))
    assert.equal(verifyChunk({ ...second, index: 2 }), false)
    assert.equal(verifyChunk({ ...second, index: 0 }), false)
  })
})

describe('a verifier', () => {
  const payload = counting(6 * KIB)
  const { root, chunks, proofs } = naiveTree(payload, KIB)
  const of = { root, sizeBytes: payload.byteLength, chunkBytes: KIB }

  it('refuses a wrong upper part of a proof also where it knows the right one', () => {
    const verifier = new Verifier(of)
    for (const index of [0, 1, 0]) assert.ok(verifier.accept(index, at(chunks, index), at(proofs, index)))
    for (const index of [0, 1, 2]) {
      const proof = at(proofs, index)
      const bad = flipped(proof, proof.byteLength * 8 - 1)
      assert.equal(verifier.accept(index, at(chunks, index), bad), false)
    }
    verifier.check()
  })

  it('has no proof before a chunk was right, and keeps none of what was wrong', () => {
    const verifier = new Verifier(of)
    assert.equal(verifier.accept(1, at(chunks, 0), at(proofs, 1)), false)
    assert.throws(() => verifier.proof(1), assert.AssertionError)
    assert.ok(verifier.accept(5, at(chunks, 5), at(proofs, 5)))
    assert.equal(verifier.accept(1, at(chunks, 0), at(proofs, 1)), false)
    assert.throws(() => verifier.proof(1), assert.AssertionError)
    verifier.check()
  })

  it('keeps nothing of what it was given, and gives away nothing of its own', () => {
    const verifier = new Verifier(of)
    const chunk = Uint8Array.from(at(chunks, 3))
    const proof = Uint8Array.from(at(proofs, 3))
    assert.ok(verifier.accept(3, chunk, proof))
    chunk.fill(0)
    proof.fill(0)
    verifier.proof(3).fill(0)
    assert.deepEqual(verifier.proof(3), proofs[3])
    verifier.check()
  })

  it('takes the largest count of chunks', () => {
    const random = new Random('large')
    const large = new Uint8Array(4_096 * KIB - 1)
    random.fill(large)
    const tree = merkleTree(large, KIB)
    const verifier = new Verifier({ root: tree.root, sizeBytes: large.byteLength, chunkBytes: KIB })
    // 1,103 and 4,096 have no common divisor: every index comes once.
    for (let step = 0; step < 4_096; step++) {
      const index = (step * 1_103) % 4_096
      assert.ok(
        verifier.accept(index, large.subarray(index * KIB, (index + 1) * KIB), tree.proof(index)),
        `${index}`,
      )
    }
    verifier.check()
    for (const index of [0, 1, 2_047, 4_095]) assert.deepEqual(verifier.proof(index), tree.proof(index))
  })
})
