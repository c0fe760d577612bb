/**
 * The parts of libp2p as Kademlia gets them (`dht.ts`): it may ask peers that are connected, and answer; all that it
 * could fill, bend or spend is bounded here.
 *
 * | the library would                                        | here                                                  |
 * |----------------------------------------------------------|-------------------------------------------------------|
 * | dial whom it hears of, and again every 5 minutes         | it dials during a walk, and as many as the walk allows |
 * | tag near peers, so that libp2p redials and keeps them    | tags and addresses are not written                    |
 * | store records and providers of anybody (CVE-2026-45783)  | nothing is stored, nothing is found                   |
 * | tell any address that a peer claims for itself           | an address counts only at the IP address where the peer is connected |
 * | read answers and requests of 4 MiB                       | 64 KiB and 4 KiB, then the stream is cut              |
 * | answer any number of requests                            | `STREAMS_PER_MINUTE` from a connection                |
 * | ping a peer before it takes it into its table            | a peer that is connected counts as alive: `liveness.ts` pings it |
 */
import {
  type Connection,
  NotFoundError,
  type Peer,
  type PeerId,
  type PeerInfo,
  type Stream,
  type StreamHandler,
} from '@libp2p/interface'
import type { KadDHTComponents } from '@libp2p/kad-dht'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { addressOf, type Endpoint, endpointOf, ipOf, isRoutable, isUsable } from '../core/endpoint.ts'
import type { Address } from '../core/types.ts'

type ConnectionManager = KadDHTComponents['connectionManager']
type OpenStream = ConnectionManager['openStream']
type Datastore = KadDHTComponents['datastore']

/** Addresses of one peer. An honest one has one or two of each family. */
const ADDRESSES_MAX = 4

/** Peers heard of in one walk. */
const NOTED_MAX = 256

/** An answer names 20 peers, some 100 bytes each. */
const ANSWER_MAX_BYTES = 65_536

/** A request is some 80 bytes; a stream may carry several. */
const REQUESTS_MAX_BYTES = 4_096

/** A walk asks each peer once or twice. */
const STREAMS_PER_MINUTE = 60

export class DhtBounds {
  /** What the library is built on. */
  readonly components: KadDHTComponents
  /** Leaves of a peer's addresses those that it may be reached at. For `peerInfoMapper`. */
  readonly usable = (peer: PeerInfo): PeerInfo => ({
    ...peer,
    multiaddrs: peer.multiaddrs.filter(address => this.#isUsable(address)).slice(0, ADDRESSES_MAX),
  })
  readonly #real: KadDHTComponents
  readonly #privateAddresses: boolean
  /** Peers heard of in this walk, who may be dialled. */
  readonly #noted = new Map<string, PeerInfo>()
  /** Requests of each connection: a bucket that fills with time. */
  readonly #asked = new WeakMap<Connection, { tokens: number; atMs: number }>()
  #dialsLeft = 0

  constructor(real: KadDHTComponents, privateAddresses: boolean) {
    this.#real = real
    this.#privateAddresses = privateAddresses
    const { peerId, privateKey, addressManager, events, logger, metrics } = real
    this.components = {
      peerId,
      privateKey,
      addressManager,
      events,
      logger,
      ...(metrics === undefined ? {} : { metrics }),
      registrar: this.#registrar(),
      connectionManager: this.#connectionManager(),
      peerStore: this.#peerStore(),
      datastore: emptyDatastore(),
      ping: { ping: async peer => this.#connectionTo(peer as PeerId).rtt ?? 0 },
    }
  }

  /** How many peers may be dialled from now on; those heard of before are forgotten. */
  allow(dials: number): void {
    this.#dialsLeft = dials
    this.#noted.clear()
  }

  /** Kademlia has heard of a peer. */
  note(peer: PeerInfo): void {
    if (this.#dialsLeft > 0 && this.#noted.size < NOTED_MAX)
      this.#noted.set(peer.id.toString(), this.usable(peer))
  }

  /** Addresses, with peer ids, of peers that are neither connected nor this node. */
  strangers(peers: readonly PeerInfo[]): Address[] {
    return peers
      .filter(({ id }) => !this.#real.peerId.equals(id) && this.#connections(id).length === 0)
      .flatMap(peer => addressesOf(this.usable(peer)))
  }

  #isUsable(address: Multiaddr): boolean {
    const text = address.toString()
    const ip = ipOf(text)
    if (ip === undefined || endpointOf(text) === undefined) return false
    return this.#privateAddresses ? isUsable(ip) : isRoutable(ip)
  }

  #connections(peer: PeerId): Connection[] {
    return this.#real.connectionManager.getConnections(peer).filter(({ status }) => status === 'open')
  }

  #connectionTo(peer: PeerId): Connection {
    const [connection] = this.#connections(peer)
    if (connection === undefined) throw new NotFoundError('not connected')
    return connection
  }

  #registrar(): KadDHTComponents['registrar'] {
    const { registrar } = this.#real
    return {
      handle: (protocol, handler, options) => registrar.handle(protocol, this.#bounded(handler), options),
      unhandle: (protocol, options) => registrar.unhandle(protocol, options),
      register: (protocol, topology) => registrar.register(protocol, topology),
      unregister: id => registrar.unregister(id),
    } as KadDHTComponents['registrar']
  }

  #bounded(handler: StreamHandler): StreamHandler {
    return (stream, connection) => {
      if (!this.#mayAsk(connection)) return stream.abort(new Error('too many requests'))
      boundBytes(stream, REQUESTS_MAX_BYTES)
      return handler(stream, connection)
    }
  }

  #mayAsk(connection: Connection): boolean {
    const nowMs = performance.now()
    const { tokens, atMs } = this.#asked.get(connection) ?? { tokens: STREAMS_PER_MINUTE, atMs: nowMs }
    const filled = Math.min(STREAMS_PER_MINUTE, tokens + ((nowMs - atMs) / 60_000) * STREAMS_PER_MINUTE)
    this.#asked.set(connection, { tokens: Math.max(0, filled - 1), atMs: nowMs })
    return filled >= 1
  }

  #connectionManager(): ConnectionManager {
    const openStream: OpenStream = async (target, protocol, options) => {
      const peer = target as PeerId
      const connection = this.#connections(peer)[0] ?? (await this.#dial(peer, options))
      const stream = await connection.newStream(protocol, options)
      boundBytes(stream, ANSWER_MAX_BYTES)
      return stream
    }
    return {
      openStream,
      isDialable: async address => [address].flat().some(it => this.#isUsable(it)),
    } as ConnectionManager
  }

  async #dial(peer: PeerId, options: Parameters<OpenStream>[2]): Promise<Connection> {
    const noted = this.#noted.get(peer.toString())
    const addresses = noted === undefined ? [] : addressesOf(noted)
    if (addresses.length === 0 || this.#dialsLeft === 0) throw new NotFoundError('not to be dialled')
    this.#dialsLeft--
    const signal = options?.signal === undefined ? {} : { signal: options.signal }
    return await this.#real.connectionManager.openConnection(
      addresses.map(address => multiaddr(address)),
      signal,
    )
  }

  /** Knows the peers that are connected, and writes nothing. */
  #peerStore(): KadDHTComponents['peerStore'] {
    const get = async (id: PeerId): Promise<Peer> => {
      const connections = this.#connections(id)
      if (connections.length === 0) throw new NotFoundError('not connected')
      const peer = await this.#real.peerStore.get(id)
      const claimed = peer.addresses.map(({ multiaddr }) => multiaddr)
      const multiaddrs = this.usable({ id, multiaddrs: provenAddresses(connections, claimed) }).multiaddrs
      return { ...peer, addresses: multiaddrs.map(multiaddr => ({ multiaddr, isCertified: false })) }
    }
    return {
      get,
      getInfo: async (id: PeerId): Promise<PeerInfo> => {
        const { addresses } = await get(id)
        return { id, multiaddrs: addresses.map(({ multiaddr }) => multiaddr) }
      },
      all: async () => [],
      merge: async () => {},
    } as unknown as KadDHTComponents['peerStore']
  }
}

/** Where we have reached a peer, and those of its own claims that name the IP address at which it is connected. */
function provenAddresses(connections: readonly Connection[], claimed: readonly Multiaddr[]): Multiaddr[] {
  const ips = new Set(connections.map(({ remoteAddr }) => ipOf(remoteAddr.toString())))
  const dialled = connections.filter(({ direction }) => direction === 'outbound')
  const endpoints = [...dialled.map(({ remoteAddr }) => remoteAddr), ...claimed]
    .map(String)
    .filter(address => ips.has(ipOf(address)))
    .flatMap(address => endpointOf(address) ?? [])
  return [...new Set<Endpoint>(endpoints)].map(endpoint => multiaddr(addressOf(endpoint)))
}

function addressesOf({ id, multiaddrs }: PeerInfo): Address[] {
  return multiaddrs.flatMap(address => {
    const endpoint = endpointOf(address.toString())
    return endpoint === undefined ? [] : addressOf(endpoint, id.toString())
  })
}

/** Cuts a stream that brings more. To be called before it is read: the bytes are seen by both, in this order. */
function boundBytes(stream: Stream, maxBytes: number): void {
  let bytes = 0
  stream.addEventListener('message', event => {
    bytes += event.data.byteLength
    if (bytes <= maxBytes) return
    event.stopImmediatePropagation()
    stream.abort(new Error(`more than ${maxBytes} bytes`))
  })
}

function emptyDatastore(): Datastore {
  return {
    get: async () => {
      throw new NotFoundError('nothing is stored')
    },
    put: async (key: unknown) => key,
    delete: async () => {},
    query: async function* () {},
  } as unknown as Datastore
}
