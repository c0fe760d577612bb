/**
 * The naive twin of `FairQueue`, written from the rules in its header: one list of items in order of arrival, one
 * list of peers in order of their turns, and everything else counted anew each time.
 */
interface Waiting<T> {
  readonly peer: string
  readonly value: T
  readonly sizeBytes: number
}

export class FairQueueTwin<T> {
  readonly #maxItems: number
  readonly #maxBytes: number
  #items: Waiting<T>[] = []
  #line: string[] = []

  constructor({ maxItems, maxBytes }: { maxItems: number; maxBytes: number }) {
    this.#maxItems = maxItems
    this.#maxBytes = maxBytes
  }

  get count(): number {
    return this.#items.length
  }

  get bytes(): number {
    return bytesOf(this.#items)
  }

  push(peer: string, value: T, sizeBytes: number): T[] {
    if (sizeBytes > this.#maxBytes) return [value]
    this.#items.push({ peer, value, sizeBytes })
    if (!this.#line.includes(peer)) this.#line.push(peer)
    const dropped: T[] = []
    while (this.count > this.#maxItems || this.bytes > this.#maxBytes) {
      const isOverBytes = this.bytes > this.#maxBytes
      const loads = this.#line.map(other => {
        const own = this.#items.filter(item => item.peer === other)
        return isOverBytes ? bytesOf(own) : own.length
      })
      const fullest = this.#line[loads.indexOf(Math.max(...loads))] as string
      dropped.push(this.#takeOldestOf(fullest))
    }
    return dropped
  }

  shift(): T | undefined {
    const [peer] = this.#line
    if (peer === undefined) return undefined
    const value = this.#takeOldestOf(peer)
    // To the end of the line.
    if (this.#line.includes(peer)) this.#line = [...this.#line.filter(other => other !== peer), peer]
    return value
  }

  drain(): T[] {
    const all: T[] = []
    while (this.count > 0) all.push(this.shift() as T)
    return all
  }

  #takeOldestOf(peer: string): T {
    const index = this.#items.findIndex(item => item.peer === peer)
    const [item] = this.#items.splice(index, 1)
    if (!this.#items.some(other => other.peer === peer))
      this.#line = this.#line.filter(other => other !== peer)
    return (item as Waiting<T>).value
  }
}

function bytesOf(items: readonly Waiting<unknown>[]): number {
  return items.reduce((sum, item) => sum + item.sizeBytes, 0)
}
