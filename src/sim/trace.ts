/**
 * The trace: one line for each thing that happens, and a hash over all of them.
 *
 * Two runs with the same hash were the same in every byte and microsecond. Two that should be and are not: write
 * both traces to files, and `cmp` shows the first line where they part.
 *
 *   time kind what…
 *   1204.250 data n3>n7 #41 312 9be1f0c2     312 bytes on connection 41, with their CRC-32
 */
import { createHash } from 'node:crypto'

/** How many lines are kept for the report of a failure. */
const TAIL_LINES = 50

/** Lines are hashed in pieces of about this many characters. */
const PIECE_CHARS = 16_384

export class Trace {
  readonly #hash = createHash('sha256')
  readonly #sink: ((line: string) => void) | undefined
  #piece = ''
  #tail: string[] = []
  #lines = 0

  /** @param sink gets every line, without its end */
  constructor(sink?: (line: string) => void) {
    this.#sink = sink
  }

  /** How many lines there were. */
  get lines(): number {
    return this.#lines
  }

  /** @param what must be the same in every run of the seed: neither real time nor anything drawn by OpenSSL */
  add(timeMs: number, kind: string, what: string): void {
    const line = `${timeMs.toFixed(3)} ${kind} ${what}`
    this.#lines++
    this.#tail.push(line)
    // Cut by halves: shifting one line at a time would be most of the work here.
    if (this.#tail.length >= 2 * TAIL_LINES) this.#tail = this.#tail.slice(-TAIL_LINES)
    this.#piece += `${line}\n`
    if (this.#piece.length >= PIECE_CHARS) this.#flush()
    this.#sink?.(line)
  }

  /** The last lines, oldest first. */
  tail(): string[] {
    return this.#tail.slice(-TAIL_LINES)
  }

  /** The hash of all lines so far, in hex. */
  hash(): string {
    this.#flush()
    return this.#hash.copy().digest('hex')
  }

  #flush(): void {
    this.#hash.update(this.#piece)
    this.#piece = ''
  }
}
