/**
 * Where the messages of a run come from: made by the nodes, or fed to them by the cluster.
 *
 * A feed is sent from random nodes, a few messages at a time (`IN_FLIGHT_MAX`, `IN_FLIGHT_MAX_BYTES`), and goes on
 * as they reach everybody: so that what is measured is how messages spread, not how long they queue. A message
 * that does not arrive in `drainMs` ends the feed, which has then failed.
 *
 * Spoilt copies go in between, each after the message that it is a copy of, from one node after the other. When
 * the feed has fewer messages than spoilt copies were asked for, it is read again for their sake.
 */
import { messageHex, messageId } from '../../core/hash.ts'
import type { Random } from '../../core/random.ts'
import type { Topic } from '../../core/types.ts'
import type { Feed, FeedItem } from './feed.ts'
import type { NodeProcess } from './process.ts'
import type { Spoil } from './spoil.ts'
import type { Expectation, SentEvent, Tally } from './tally.ts'
import type { Until } from './until.ts'

export const IN_FLIGHT_MAX = 16
export const IN_FLIGHT_MAX_BYTES = 4_000_000

/** How many ids of a feed are remembered to skip what it repeats; beyond it the oldest are forgotten. */
const IDS_MAX = 1_000_000

const PROPAGATE_MS = 30_000

/** How long `bytes` of payload may take to reach all nodes: 10 s, and 1 s for every 50 kB. */
export function drainMs(bytes: number): number {
  return 10_000 + bytes / 50
}

export interface FeederPorts {
  readonly nodes: readonly NodeProcess[]
  readonly tally: Pick<Tally, 'isOpen'>
  /** A message has left. */
  sent(event: SentEvent): void
  readonly until: Until
  readonly random: Random
  /** Aborted when the run is to end. */
  readonly signal: AbortSignal
}

export interface FeederOptions {
  readonly feed: Feed
  readonly topic: Topic
  readonly expect: Expectation
  /** How many spoilt copies to add, and how. */
  readonly corrupt: number
  readonly spoil: Spoil
}

export class FeedFailure extends Error {
  override readonly name = 'FeedFailure'
}

export class Feeder {
  readonly #ports: FeederPorts
  readonly #options: FeederOptions
  readonly #inFlight = new Map<string, { readonly name: string; readonly sizeBytes: number }>()
  readonly #ids = new Set<string>()
  #spoiltSent = 0
  #repeated = 0

  constructor(options: FeederOptions, ports: FeederPorts) {
    this.#options = options
    this.#ports = ports
  }

  /** Messages that the feed repeated: sent once. */
  get repeated(): number {
    return this.#repeated
  }

  /** Sends everything, or as much as the signal allows. @throws FeedFailure, NodeFailure, FloodgateError CONFIG */
  async run(): Promise<void> {
    const { feed, corrupt } = this.#options
    for await (const item of feed.items()) {
      if (this.#ports.signal.aborted) return
      await this.#sendOnce(item)
      if (this.#spoiltSent < corrupt) await this.#sendSpoilt(item)
    }
    while (this.#spoiltSent < corrupt) {
      for await (const item of feed.items()) {
        if (this.#ports.signal.aborted) return
        if (this.#spoiltSent < corrupt) await this.#sendSpoilt(item)
      }
    }
  }

  async #sendOnce(item: FeedItem): Promise<void> {
    if (!this.#remember(item.payload)) {
      this.#repeated += 1
      return
    }
    await this.#send(item, this.#ports.random.below(this.#ports.nodes.length), this.#options.expect)
  }

  async #sendSpoilt({ name, payload }: FeedItem): Promise<void> {
    const index = this.#spoiltSent
    const spoilt = this.#options.spoil(payload, index)
    if (!(spoilt instanceof Uint8Array)) throw new FeedFailure(`corrupt(${name}, ${index}) returned no bytes`)
    if (!this.#remember(spoilt)) {
      throw new FeedFailure(`corrupt(${name}, ${index}) returned a message that was sent before`)
    }
    this.#spoiltSent += 1
    const origin = index % this.#ports.nodes.length
    await this.#send({ name: `spoilt copy ${index + 1}, of ${name}`, payload: spoilt }, origin, 'reject')
  }

  async #send({ name, payload }: FeedItem, node: number, expect: Expectation): Promise<void> {
    const sizeBytes = payload.byteLength
    await this.#room(sizeBytes)
    const origin = this.#ports.nodes[node]
    if (origin === undefined || this.#ports.signal.aborted) return
    const encoded = Buffer.from(payload.buffer, payload.byteOffset, sizeBytes).toString('base64')
    const { id, atUs, seen } = await origin.request('propagate', { payload: encoded }, PROPAGATE_MS)
    // The feed's own repetitions are skipped before, so somebody else must use the same topic.
    if (seen) throw new FeedFailure(`${name}: ${origin.name} has had it before`)
    this.#inFlight.set(id, { name, sizeBytes })
    this.#ports.sent({ type: 'sent', id, node, atUs, sizeBytes, expect })
  }

  /** Waits until a message of this size may go; one message always may. */
  async #room(sizeBytes: number): Promise<void> {
    const { until, signal } = this.#ports
    const hasRoom = (): boolean => {
      this.#forgetArrived()
      const bytes = this.#inFlightBytes()
      const { size } = this.#inFlight
      return size === 0 || (size < IN_FLIGHT_MAX && bytes + sizeBytes <= IN_FLIGHT_MAX_BYTES)
    }
    const limitMs = drainMs(this.#inFlightBytes())
    if ((await until.until(hasRoom, limitMs, signal)) || signal.aborted) return
    const [oldest] = this.#inFlight.values()
    throw new FeedFailure(`${oldest?.name} did not reach every node within ${Math.round(limitMs / 1_000)} s`)
  }

  #inFlightBytes(): number {
    let bytes = 0
    for (const { sizeBytes } of this.#inFlight.values()) bytes += sizeBytes
    return bytes
  }

  #forgetArrived(): void {
    for (const id of this.#inFlight.keys()) if (!this.#ports.tally.isOpen(id)) this.#inFlight.delete(id)
  }

  /** False for a payload that was sent before. */
  #remember(payload: Uint8Array): boolean {
    const id = messageHex(messageId(this.#options.topic, payload))
    if (this.#ids.has(id)) return false
    this.#ids.add(id)
    if (this.#ids.size > IDS_MAX) {
      const [oldest = id] = this.#ids
      this.#ids.delete(oldest)
    }
    return true
  }
}
