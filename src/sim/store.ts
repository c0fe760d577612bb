/**
 * A store in memory that outlives its user, as a disk does: what a simulated node restarts with.
 *
 * A write that was awaited is there after a crash. Nothing waits: in the simulator the disk takes no time.
 */
import type { Store, StoreChange } from '../core/ports.ts'

/** The records of one node, on no medium. */
export class SimDisk {
  readonly #records = new Map<string, Uint8Array>()

  get size(): number {
    return this.#records.size
  }

  clear(): void {
    this.#records.clear()
  }

  /** Opens the store; any number of times, one after the other. */
  open(): Store {
    let isOpen = true
    const records = (): Map<string, Uint8Array> => {
      if (!isOpen) throw new Error('the store is closed')
      return this.#records
    }
    return {
      async get(key) {
        return records().get(key)?.slice()
      },
      async write(changes) {
        const target = records()
        for (const change of changes) apply(target, change)
      },
      async *entries(prefix) {
        const found = [...records()].filter(([key]) => key.startsWith(prefix))
        for (const [key, value] of found.sort(byKey)) yield { key, value: value.slice() }
      },
      async close() {
        isOpen = false
      },
    }
  }
}

function apply(records: Map<string, Uint8Array>, change: StoreChange): void {
  if ('put' in change) records.set(change.put, change.value.slice())
  else records.delete(change.delete)
}

/** LevelDB's order: that of the bytes in UTF-8, which is that of the code points. */
function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
