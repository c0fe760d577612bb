/**
 * Bytes to lines, whatever the chunks.
 *
 * Used for the talk between the cluster and its nodes and for `--lines`. A line ends in \n or \r\n, and the last
 * one may have no end. Bytes stay bytes: a line of real input need not be text.
 */

export class LineSplitter {
  readonly #maxBytes: number
  #parts: Uint8Array[] = []
  #partsBytes = 0

  /** A line longer than `maxBytes` makes `push` throw a `RangeError`, after the lines before it. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The lines that this chunk completes, without their ends; they may share memory with the chunk. To be read to
   * the end before the next chunk.
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, void> {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end))
      yield this.#take()
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
  }

  /** What stands after the last line end, if anything does. */
  end(): Uint8Array | undefined {
    return this.#partsBytes === 0 ? undefined : this.#take()
  }

  #keep(part: Uint8Array): void {
    if (part.byteLength === 0) return
    this.#partsBytes += part.byteLength
    if (this.#partsBytes > this.#maxBytes) throw new RangeError(`line longer than ${this.#maxBytes} bytes`)
    this.#parts.push(part)
  }

  #take(): Uint8Array {
    const [first] = this.#parts
    const line = this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsBytes = 0
    return line.at(-1) === 13 ? line.subarray(0, -1) : line
  }
}
