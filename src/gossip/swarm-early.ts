/**
 * Frames of one peer for swarms that have not begun here: the neighbour that gave us an announcement sends the first
 * chunks right behind it, while the upper layer still looks at the header.
 *
 * Rules:
 * - A frame is kept for `EARLY_MS`. Why so short: a header is judged in milliseconds, and what is lost is asked for.
 * - Of one peer at most `EARLY_MAX` frames and `EARLY_MAX_BYTES` bytes; the newest is dropped. Why the newest: the first
 *   chunks of a swarm are worth as much as the later ones, and a peer that floods loses only its own.
 */
import assert from 'node:assert/strict'
import type { SwarmKey } from './swarm.ts'
import type { SwarmFrame } from './swarm-frame.ts'

const EARLY_MS = 3_000
const EARLY_MAX_BYTES = 256 * 1_024
const EARLY_MAX = 64

interface Early {
  readonly frame: SwarmFrame
  readonly sizeBytes: number
  readonly atMs: number
}

export class EarlyFrames {
  #kept: Early[] = []
  #keptBytes = 0

  get count(): number {
    return this.#kept.length
  }

  get keptBytes(): number {
    return this.#keptBytes
  }

  /** Keeps a frame with its bytes. @param sizeBytes what it holds in memory @returns whether there was room */
  keep(frame: SwarmFrame, sizeBytes: number, nowMs: number): boolean {
    if (this.#kept.length >= EARLY_MAX || this.#keptBytes + sizeBytes > EARLY_MAX_BYTES) return false
    this.#kept.push({ frame, sizeBytes, atMs: nowMs })
    this.#keptBytes += sizeBytes
    return true
  }

  /** Hands out the frames of a swarm that begins, oldest first. */
  take(key: SwarmKey): SwarmFrame[] {
    const taken = this.#kept.filter(({ frame }) => frame.key === key).map(({ frame }) => frame)
    if (taken.length > 0) this.#leave(({ frame }) => frame.key !== key)
    return taken
  }

  /** Hands out what nobody came for, to be acknowledged: its sender waits for that. */
  tick(nowMs: number): SwarmFrame[] {
    const isOld = ({ atMs }: Early): boolean => nowMs - atMs >= EARLY_MS
    const dropped = this.#kept.filter(isOld).map(({ frame }) => frame)
    if (dropped.length > 0) this.#leave(early => !isOld(early))
    return dropped
  }

  #leave(stays: (early: Early) => boolean): void {
    this.#kept = this.#kept.filter(stays)
    this.#keptBytes = this.#kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  /** Throws when an invariant is broken; for tests. */
  check(): void {
    assert.ok(this.#kept.length <= EARLY_MAX && this.#keptBytes <= EARLY_MAX_BYTES)
    assert.equal(
      this.#keptBytes,
      this.#kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    )
  }
}
