/**
 * What became of the messages, and the figures that are made of it.
 *
 * - coverage = deliveries / Σ over accepted messages of the nodes that were to receive it. These are all but the
 *   sender, N − 1; a node that is down when the message is sent, or goes down before it comes, is not counted.
 * - copies = bytes that all nodes sent, control included, / ((N − 1) × payload bytes).
 * - A message that handlers rejected, and that nobody accepted, counts for nothing.
 * - The delivery tree of a message has an edge from the neighbour whose copy came first to each node.
 */
import assert from 'node:assert/strict'

export interface Sent {
  /** Anything that is the same for the same message. */
  readonly key: string
  readonly topic: string
  /** Index of the sender. */
  readonly origin: number
  readonly atMs: number
  readonly sizeBytes: number
  readonly phase: number
}

/** No parent that is a node of ours. */
const STRANGER = -1

interface Entry extends Sent {
  /** By node: when it was delivered, NaN before. */
  readonly deliveredMs: Float64Array
  /** By node: whose copy came first. */
  readonly parents: Int32Array
  /** By node: 1 when it is to receive the message. */
  readonly expected: Uint8Array
  /** How many of these have not received it yet. */
  missing: number
  deliveries: number
  rejections: number
}

export interface LatencyMs {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Figures of some of the messages. */
export interface Spread {
  readonly messages: number
  /** Undefined without messages, and so for everything below. */
  readonly coverage: number | undefined
  readonly latencyMs: LatencyMs | undefined
  /** The longest way from a sender to a node, in hops. */
  readonly diameter: number | undefined
  readonly meanHops: number | undefined
  readonly payloadBytes: number
}

export class Measures {
  readonly #nodes: number
  readonly #entries = new Map<string, Entry>()
  /** Those that are still missing somewhere. */
  readonly #open = new Set<Entry>()
  readonly #isUp: boolean[]

  constructor(nodes: number) {
    this.#nodes = nodes
    this.#isUp = Array(nodes).fill(true)
  }

  sent(message: Sent): void {
    assert.ok(!this.#entries.has(message.key), 'a payload was sent twice')
    const expected = Uint8Array.from(this.#isUp, (isUp, node) => Number(isUp && node !== message.origin))
    const entry: Entry = {
      ...message,
      deliveredMs: new Float64Array(this.#nodes).fill(Number.NaN),
      parents: new Int32Array(this.#nodes).fill(STRANGER),
      expected,
      missing: expected.reduce((sum, it) => sum + it, 0),
      deliveries: 0,
      rejections: 0,
    }
    this.#entries.set(message.key, entry)
    this.#open.add(entry)
  }

  /**
   * The first delivery to a node counts; those of messages that were not sent here are left out.
   * @param from undefined for a neighbour that is none of the nodes
   * @returns whether it counts
   */
  delivered(node: number, key: string, from: number | undefined, atMs: number): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined || !Number.isNaN(entry.deliveredMs[node])) return false
    entry.deliveredMs[node] = atMs
    entry.parents[node] = from ?? STRANGER
    if (entry.expected[node] !== 1) return false
    entry.deliveries++
    this.#arrived(entry)
    return true
  }

  /** A handler has rejected it. */
  rejected(key: string): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) entry.rejections++
  }

  wentDown(node: number): void {
    this.#isUp[node] = false
    for (const entry of this.#open) {
      if (entry.expected[node] !== 1 || !Number.isNaN(entry.deliveredMs[node])) continue
      entry.expected[node] = 0
      this.#arrived(entry)
    }
  }

  cameUp(node: number): void {
    this.#isUp[node] = true
  }

  /** @param isWanted which messages */
  spread(isWanted: (message: Sent) => boolean): Spread {
    const entries = [...this.#entries.values()].filter(entry => isAccepted(entry) && isWanted(entry))
    const latencies: number[] = []
    let expected = 0
    let deepest = 0
    let hops = 0
    let placed = 0
    for (const entry of entries) {
      const depths = depthsOf(entry)
      for (let node = 0; node < this.#nodes; node++) {
        if (entry.expected[node] !== 1) continue
        expected++
        const deliveredMs = entry.deliveredMs[node] ?? Number.NaN
        if (Number.isNaN(deliveredMs)) continue
        latencies.push(deliveredMs - entry.atMs)
        const depth = depths[node] ?? 0
        if (depth === 0) continue
        deepest = Math.max(deepest, depth)
        hops += depth
        placed++
      }
    }
    return {
      messages: entries.length,
      coverage: expected === 0 ? undefined : latencies.length / expected,
      latencyMs: latencyOf(latencies),
      diameter: placed === 0 ? undefined : deepest,
      meanHops: placed === 0 ? undefined : hops / placed,
      payloadBytes: entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    }
  }

  /**
   * How long after `healedMs` the first message that was sent since then had reached every node. Infinity when none
   * has.
   */
  mergedMs(healedMs: number): number {
    for (const entry of this.#entries.values()) {
      if (entry.atMs < healedMs || entry.missing > 0 || !isAccepted(entry)) continue
      const last = entry.deliveredMs.reduce(
        (max, ms) => (Number.isNaN(ms) ? max : Math.max(max, ms)),
        entry.atMs,
      )
      return last - healedMs
    }
    return Number.POSITIVE_INFINITY
  }

  #arrived(entry: Entry): void {
    entry.missing--
    if (entry.missing === 0) this.#open.delete(entry)
  }
}

function isAccepted({ rejections, deliveries }: Entry): boolean {
  return rejections === 0 || deliveries > 0
}

/** By node: how many hops from the sender; 0 for those that the tree does not reach. */
function depthsOf({ origin, parents }: Entry): Int32Array {
  const depths = new Int32Array(parents.length)
  for (let node = 0; node < parents.length; node++) {
    const path: number[] = []
    let at = node
    while (at !== origin && at !== STRANGER && depths[at] === 0 && path.length < parents.length) {
      path.push(at)
      at = parents[at] ?? STRANGER
    }
    // It ends at the sender, at a node whose place is known, or at one that has it from a stranger.
    const isPlaced = at === origin || (at !== STRANGER && (depths[at] ?? 0) > 0)
    let depth = depths[at] ?? 0
    for (const below of isPlaced ? path.reverse() : []) depths[below] = ++depth
  }
  return depths
}

function latencyOf(latencies: readonly number[]): LatencyMs | undefined {
  if (latencies.length === 0) return undefined
  const sorted = Float64Array.from(latencies).sort()
  const quantile = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: quantile(1) }
}
