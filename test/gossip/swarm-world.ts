/**
 * A network of `Swarms` machines for tests: links with a latency, uplinks with a rate, virtual time.
 *
 * Each node has one uplink, a queue in order of sending, as a socket is: what a machine hands out can't be taken back.
 * The announcement goes from neighbour to neighbour by the same links. No TCP, no loss, no costs of computation.
 */
import { Random } from '../../src/core/random.ts'
import type { MessageId } from '../../src/core/types.ts'
import type { SwarmHead } from '../../src/gossip/announcement.ts'
import { merkleTree } from '../../src/gossip/merkle.ts'
import { encodeFrame, type SwarmFrame, swarmKey } from '../../src/gossip/swarm-frame.ts'
import { Swarms, type SwarmsAction, type SwarmsEvent } from '../../src/gossip/swarms.ts'

export interface WorldOptions {
  readonly nodes: number
  readonly degree: number
  readonly sizeBytes: number
  readonly chunkBytes: number
  readonly upBytesPerS: number | ((node: number) => number)
  /** Unlimited where it is missing. */
  readonly downBytesPerS?: (node: number) => number
  readonly latencyMs: number
  readonly seed: number
  /** When chunks may leave others than the origin: from the start, or once all of them are there. */
  readonly opens?: 'begin' | 'complete'
  /** Nodes that are not there until they `join`. */
  readonly absent?: readonly number[]
}

/** What a frame takes on the wire beside itself: TCP and IP, Noise, yamux. */
const OVERHEAD_BYTES = 60

const TICK_MS = 50

export class SwarmWorld {
  readonly nodes: Swarms[]
  readonly near: string[][]
  readonly doneAtMs: (number | undefined)[]
  readonly offences: string[] = []
  readonly expired: number[] = []
  readonly options: WorldOptions
  /** Nodes that are gone. */
  readonly gone = new Set<number>()
  nowMs = 0
  sentBytes = 0
  /** Replaces what a node sends. */
  tamper: (from: number, to: number, frame: SwarmFrame) => SwarmFrame | undefined = (_from, _to, frame) =>
    frame
  readonly #random: () => number
  readonly #queue: { atMs: number; order: number; run: () => void }[] = []
  readonly #freeAtMs: number[]
  readonly #readAtMs: number[]
  readonly #flushing: boolean[]
  #order = 0

  constructor(options: WorldOptions) {
    this.options = options
    const random = new Random(String(options.seed))
    this.#random = () => random.fraction()
    const { nodes } = options
    this.nodes = Array.from({ length: nodes }, () => new Swarms({ expireMs: 60_000 }, this.#random))
    this.near = graph(nodes, options.degree, this.#random)
    this.doneAtMs = new Array(nodes).fill(undefined)
    this.#freeAtMs = new Array(nodes).fill(0)
    this.#readAtMs = new Array(nodes).fill(0)
    for (const node of options.absent ?? []) this.gone.add(node)
    this.#flushing = new Array(nodes).fill(false)
    for (const [node, peers] of this.near.entries()) {
      for (const peer of peers) if (!this.gone.has(Number(peer))) this.feed(node, { type: 'peer', peer })
    }
    this.#every(TICK_MS, () => {
      for (let node = 0; node < nodes; node++) if (!this.gone.has(node)) this.feed(node, { type: 'tick' })
    })
  }

  /** Starts a swarm at a node; the others get to know of it from their neighbours. */
  begin(node: number): { head: SwarmHead; payload: Uint8Array } {
    const { sizeBytes, chunkBytes } = this.options
    const payload = new Uint8Array(sizeBytes)
    for (let at = 0; at < sizeBytes; at += 97) payload[at] = Math.floor(this.#random() * 256)
    const head: SwarmHead = {
      id: new Uint8Array(20).fill(7) as MessageId,
      sizeBytes,
      chunkBytes,
      root: merkleTree(payload, chunkBytes).root,
      header: new Uint8Array(0),
      origin: String(node),
      signature: new Uint8Array(0),
    }
    this.#announce(node, head, undefined, payload)
    this.doneAtMs[node] = this.nowMs
    return { head, payload }
  }

  feed(node: number, event: SwarmsEvent): void {
    const machine = this.nodes[node] as Swarms
    this.#carryOut(node, machine.handle(event, this.nowMs))
    if (!machine.hasUntold || this.#flushing[node]) return
    this.#flushing[node] = true
    this.after(machine.flushAfterMs, () => {
      this.#flushing[node] = false
      if (!this.gone.has(node)) this.feed(node, { type: 'flush' })
    })
  }

  /** A node vanishes; its neighbours notice after a while. */
  vanish(node: number, noticedMs = 1_000): void {
    this.gone.add(node)
    this.after(noticedMs, () => {
      for (const peer of this.near[node] ?? []) this.feed(Number(peer), { type: 'gone', peer: String(node) })
    })
  }

  /** A node comes late, and is told of a swarm by all that it is near to. */
  join(node: number, head: SwarmHead): void {
    this.gone.delete(node)
    const key = swarmKey(head)
    const present = (this.near[node] ?? []).filter(peer => !this.gone.has(Number(peer)))
    for (const peer of present) {
      this.feed(node, { type: 'peer', peer })
      this.feed(Number(peer), { type: 'peer', peer: String(node) })
    }
    const from = present[0]
    this.feed(node, { type: 'begin', key, topic: 'blocks', head, from, neighbours: [], isOpen: true })
    for (const peer of present) this.feed(node, { type: 'holder', key, peer })
  }

  after(delayMs: number, run: () => void): void {
    push(this.#queue, { atMs: this.nowMs + delayMs, order: this.#order++, run })
  }

  /** Runs until all that live have the payload, or until a moment. */
  run(untilMs: number): void {
    while (this.#queue.length > 0 && this.nowMs < untilMs) {
      if (this.doneAtMs.every((at, node) => at !== undefined || this.gone.has(node))) return
      const next = pop(this.#queue)
      this.nowMs = next.atMs
      next.run()
    }
  }

  figures(): { p50: number; all: number; copies: number; done: number } {
    const times = this.doneAtMs.filter(at => at !== undefined).sort((one, other) => one - other)
    const { nodes, sizeBytes } = this.options
    return {
      p50: times[Math.floor(times.length / 2)] ?? Number.NaN,
      all: times.at(-1) ?? Number.NaN,
      copies: this.sentBytes / ((nodes - 1) * sizeBytes),
      done: times.length,
    }
  }

  #announce(node: number, head: SwarmHead, from: string | undefined, payload?: Uint8Array): void {
    const key = swarmKey(head)
    if (this.nodes[node]?.has(key) || this.gone.has(node)) return
    const neighbours = this.near[node] ?? []
    for (const peer of neighbours) {
      if (peer !== from)
        this.#transmit(node, Number(peer), 200, () => this.#announce(Number(peer), head, String(node)))
    }
    const isOpen = payload !== undefined || this.options.opens !== 'complete'
    const base = { type: 'begin', key, topic: 'blocks', head, from, neighbours, isOpen } as const
    this.feed(node, payload === undefined ? base : { ...base, payload })
  }

  #carryOut(node: number, actions: SwarmsAction[]): void {
    for (const action of actions) {
      if (action.type === 'send') {
        const to = Number(action.peer)
        const frame = this.tamper(node, to, action.frame)
        if (frame === undefined) continue
        const sizeBytes = encodeFrame(frame).byteLength + OVERHEAD_BYTES
        this.#transmit(node, to, sizeBytes, () => {
          this.feed(to, { type: 'frame', peer: String(node), frame, sizeBytes })
        })
      } else if (action.type === 'complete') {
        this.doneAtMs[node] = this.nowMs
        if (this.options.opens === 'complete')
          this.after(0, () => this.feed(node, { type: 'open', key: action.key }))
      } else if (action.type === 'expired') this.expired.push(node)
      else if (action.type === 'offence')
        this.offences.push(`${node} blames ${action.peer}: ${action.offence}`)
    }
  }

  #transmit(from: number, to: number, sizeBytes: number, arrive: () => void): void {
    const { upBytesPerS, latencyMs } = this.options
    const rate = typeof upBytesPerS === 'number' ? upBytesPerS : upBytesPerS(from)
    this.sentBytes += sizeBytes
    const freeAtMs = Math.max(this.nowMs, this.#freeAtMs[from] ?? 0) + (sizeBytes / rate) * 1_000
    this.#freeAtMs[from] = freeAtMs
    const arrivesAtMs = freeAtMs + latencyMs
    const down = this.options.downBytesPerS?.(to)
    const readMs = down === undefined ? 0 : (sizeBytes / down) * 1_000
    const readAtMs = Math.max(arrivesAtMs, this.#readAtMs[to] ?? 0) + readMs
    if (down !== undefined) this.#readAtMs[to] = readAtMs
    this.after(readAtMs - this.nowMs, () => {
      if (!this.gone.has(to)) arrive()
    })
  }

  #every(periodMs: number, run: () => void): void {
    this.after(periodMs, () => {
      run()
      this.#every(periodMs, run)
    })
  }
}

function graph(nodes: number, degree: number, random: () => number): string[][] {
  const near = Array.from({ length: nodes }, () => new Set<string>())
  for (const wanted of [degree / 2, degree]) {
    for (let node = 0; node < nodes; node++) {
      const own = near[node] as Set<string>
      for (let tries = 0; own.size < Math.min(wanted, nodes - 1) && tries < 1_000; tries++) {
        const other = Math.floor(random() * nodes)
        const others = near[other] as Set<string>
        if (other === node || others.size >= degree + 4) continue
        own.add(String(other))
        others.add(String(node))
      }
    }
  }
  return near.map(peers => [...peers])
}

interface Entry {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

const isBefore = (one: Entry, other: Entry): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (isBefore(heap[parent] as Entry, entry)) break
    heap[at] = heap[parent] as Entry
    at = parent
  }
  heap[at] = entry
}

function pop(heap: Entry[]): Entry {
  const top = heap[0] as Entry
  const last = heap.pop() as Entry
  if (heap.length === 0) return top
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++
    if (!isBefore(heap[child] as Entry, last)) break
    heap[at] = heap[child] as Entry
    at = child
  }
  heap[at] = last
  return top
}
