/**
 * Seeded random numbers: the same seed gives the same topology, senders and payloads on every machine.
 *
 * xoshiro128** (Blackman and Vigna, 2018), its 128 bits of state taken from a BLAKE2b hash of the seed, so
 * that seeds which differ in one character have nothing in common. Not for secrets.
 */
import { messageId } from './hash.ts'

export class Random {
  readonly #state = new Uint32Array(4)

  /** Any text; parts of one run use the run's seed and a name of their own, such as `7/topology`. */
  constructor(seed: string) {
    const hash = messageId('seed', new TextEncoder().encode(seed))
    const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength)
    for (let i = 0; i < 4; i += 1) this.#state[i] = view.getUint32(i * 4)
    // All bits zero is the one state that the generator never leaves.
    if (this.#state.every(word => word === 0)) this.#state[0] = 1
  }

  /** A whole number from 0 up to, but without, 2^32. */
  uint32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const c1 = c ^ a
    const d1 = d ^ b
    this.#state[1] = b ^ c1
    this.#state[0] = a ^ d1
    this.#state[2] = c1 ^ (b << 9)
    this.#state[3] = rotate(d1, 11)
    return result
  }

  /** A number from 0 up to, but without, 1. */
  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  /** A whole number from 0 up to, but without, `bound` (1 to 2^32). */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound)
  }

  /** Overwrites all of `bytes`. */
  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += 4) {
      const word = this.uint32()
      for (let i = 0; i < 4 && at + i < bytes.byteLength; i += 1) bytes[at + i] = word >>> (8 * i)
    }
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
