/**
 * Kademlia as a source of hints: `@libp2p/kad-dht` 16.4.5 as a libp2p service that answers walks, walks when told to,
 * and does nothing else.
 *
 * Rules:
 * - Identities are free, so a table of them can be bent by whoever makes enough (CVE-2020-10937, CVE-2023-26248). What
 *   a walk finds is a hint for the address book and no more; whom to dial is decided there.
 * - The library dials, tags, stores and refreshes on its own account. It gets none of the parts it would need for that
 *   (`dht-bounds.ts`), and libp2p does not know it as a router or a discovery.
 * - One protocol for each network: tables of different networks never mix.
 */
import assert from 'node:assert/strict'
import { type KadDHT, type KadDHTComponents, type KadDHTInit, kadDHT } from '@libp2p/kad-dht'
import { type Endpoint, endpointOf } from '../core/endpoint.ts'
import type { Address } from '../core/types.ts'
import { DhtBounds } from './dht-bounds.ts'

export interface DhtOptions {
  readonly network: string
  /** Loopback and private addresses are addresses like any other: a LAN, a compose network, one machine. */
  readonly privateAddresses: boolean
}

/** Where addresses of further nodes can be had. */
export interface Hints {
  /**
   * One walk towards a random point. Gives what it has found after `timeoutMs` at the latest: at most 64 addresses, with
   * peer ids, of peers that are not connected. A walk under way is joined. Never throws.
   */
  walk(timeoutMs: number): Promise<Address[]>
}

/** What we use of the library's class beyond its interface. */
interface Internals extends KadDHT, EventTarget {
  start(): Promise<void>
  stop(): Promise<void>
  readonly routingTableRefresh: { refreshTable: () => void }
}

const HINTS_MAX = 64

/** What one peer may add to a walk, so that four at least have a say. */
const HINTS_PER_PEER_MAX = 16

/** How many peers a walk may dial: enough for a few steps, few enough to be forgotten afterwards. */
const DIALS_PER_WALK = 8

const KEY_BYTES = 32
const DAY_MS = 86_400_000

/** A service factory for `createLibp2p`. */
export function dhtService(options: DhtOptions): (components: KadDHTComponents) => Kademlia {
  return components => new Kademlia(components, options)
}

export class Kademlia implements Hints {
  readonly #kad: Internals
  readonly #bounds: DhtBounds
  #walking: Promise<Address[]> | undefined

  constructor(components: KadDHTComponents, options: DhtOptions) {
    this.#bounds = new DhtBounds(components, options.privateAddresses)
    this.#kad = kadDHT(settings(options, this.#bounds))(this.#bounds.components) as unknown as Internals
    const { routingTableRefresh } = this.#kad
    assert.equal(typeof routingTableRefresh?.refreshTable, 'function', 'kad-dht has changed: its refresh')
    // It would ask every peer every 5 minutes, and goes on doing so after a stop.
    routingTableRefresh.refreshTable = () => {}
    this.#kad.addEventListener('peer', event => this.#bounds.note((event as CustomEvent).detail))
  }

  start(): Promise<void> {
    return this.#kad.start()
  }

  stop(): Promise<void> {
    return this.#kad.stop()
  }

  walk(timeoutMs: number): Promise<Address[]> {
    this.#walking ??= this.#walk(timeoutMs).finally(() => {
      this.#walking = undefined
    })
    return this.#walking
  }

  async #walk(timeoutMs: number): Promise<Address[]> {
    const found = new Map<Endpoint, Address>()
    const key = crypto.getRandomValues(new Uint8Array(KEY_BYTES))
    this.#bounds.allow(DIALS_PER_WALK)
    try {
      const signal = AbortSignal.timeout(timeoutMs)
      for await (const event of this.#kad.getClosestPeers(key, { signal })) {
        if (event.name !== 'PEER_RESPONSE') continue
        for (const address of this.#bounds.strangers(event.closer).slice(0, HINTS_PER_PEER_MAX)) {
          if (found.size < HINTS_MAX) found.set(endpointOf(address) ?? address, address)
        }
        if (found.size === HINTS_MAX) break
      }
    } catch {
      // The time is up, or the node stops: what was found until then is as good as ever.
    } finally {
      this.#bounds.allow(0)
    }
    return [...found.values()]
  }
}

function settings({ network }: DhtOptions, bounds: DhtBounds): KadDHTInit {
  return {
    protocol: `/floodgate/${network}/kad/1.0.0`,
    // The library's default turns to `client` without a public address, and in a LAN nobody would answer.
    clientMode: false,
    peerInfoMapper: bounds.usable,
    // Kademlia's own numbers: 20 peers a bucket, 3 questions at a time.
    kBucketSize: 20,
    alpha: 3,
    disjointPaths: 3,
    // At most 64 buckets.
    prefixLength: 6,
    // Nothing is stored, so nothing needs to be judged.
    validators: {},
    selectors: {},
    // A walk with nobody to ask ends at once.
    allowQueryWithZeroPeers: true,
    initialQuerySelfInterval: 1_000,
    // Tells us who is near to us, which we do not want to know.
    querySelfInterval: DAY_MS,
    reprovide: { interval: DAY_MS },
    maxInboundStreams: 4,
    maxOutboundStreams: 8,
    networkDialTimeout: { minTimeout: 2_000, maxTimeout: 5_000 },
    onPeerConnectTimeout: 10_000,
    routingTableUpdateMaxQueueSize: 256,
    pingNewContactTimeout: { minTimeout: 1_000, maxTimeout: 2_000 },
    pingNewContactConcurrency: 4,
    pingNewContactMaxQueueSize: 100,
    pingOldContactTimeout: { minTimeout: 1_000, maxTimeout: 2_000 },
    pingOldContactConcurrency: 4,
    pingOldContactMaxQueueSize: 100,
  }
}
