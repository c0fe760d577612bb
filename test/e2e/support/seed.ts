/**
 * Random bytes that can be had again: the seed is printed, and taken from the environment (`SEED=…`) when it is there.
 */
import type { TestContext } from 'node:test'

/** A source of random bytes for one test. */
export function seededBytes(t: TestContext): (count: number) => Buffer {
  let state = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0
  t.diagnostic(`SEED=${state}`)
  // Weyl sequence and mixing as in splitmix32: short, and random enough to break a parser.
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
    return (word ^ (word >>> 15)) >>> 0
  }
  return count => Buffer.from(Uint8Array.from({ length: count }, () => next() & 0xff))
}
