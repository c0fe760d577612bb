/**
 * libp2p, assembled and bounded: TCP, Noise, yamux, identify, ping, and gossipsub as a service.
 *
 * Rules:
 * - Every option that we rely on is set here, each with its reason, also where it equals today's default: a
 *   new version of a library must not change a limit behind our back. `docs/limits.md` lists them all.
 * - libp2p's types end here: a peer is a string, an address a string, a failure a `FloodgateError`.
 * - Peers, discovery and dialling policy are not libp2p's business: it has no auto-dialler, and we use neither
 *   its tags nor its reconnect queue.
 */
import { type Identify, identify } from '@libp2p/identify'
import type { Connection, Libp2p, PeerId as Libp2pPeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Ping, ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { FloodgateError } from '../core/errors.ts'
import type { Clock, ConnectionInfo, Host, HostEvents, Log, Metrics, PubSub } from '../core/ports.ts'
import type { Address, PeerId } from '../core/types.ts'
import { type Gossip, type GossipOptions, gossipService } from './gossipsub.ts'
import type { Logs } from './log.ts'
import type { NodeMetrics } from './metrics.ts'
import { streamNoise } from './noise.ts'
import { GossipPubSub } from './pubsub.ts'
import { corkedTcp, type Traffic } from './transport.ts'

export interface HostOptions {
  readonly listen: readonly Address[]
  readonly announce: readonly Address[]
  readonly agent: string
  readonly connections: {
    readonly max: number
    readonly dialTimeoutMs: number
    readonly upgradeTimeoutMs: number
    readonly parallelDials: number
    readonly dialQueueMax: number
    readonly pendingInboundMax: number
    readonly inboundPerSecondPerHost: number
    readonly streamsPerConnectionMax: number
  }
  readonly gossip: GossipOptions
}

type Transports = NonNullable<Libp2pOptions['transports']>
type Encrypters = NonNullable<Libp2pOptions['connectionEncrypters']>

/** What of libp2p may be replaced; for simulators, and for networks that are not TCP. */
export interface NetworkParts {
  /** A transport; it adds what it carries to `traffic`. TCP with corked writes without it. */
  readonly transport?: (traffic: Traffic) => Transports[number]
  /** What authenticates and encrypts connections. Noise without it. */
  readonly encrypter?: Encrypters[number]
}

export interface HostParts extends NetworkParts {
  readonly privateKey: PrivateKey
  readonly clock: Clock
  readonly logs: Logs
  readonly metrics: NodeMetrics
}

type Services = { identify: Identify; ping: Ping; gossip: Gossip }

/** How long a ping may take; a neighbour across the world answers in 0.4 s. */
const PING_TIMEOUT_MS = 5_000

/** How long a connection may take to close before it is cut. */
const CLOSE_TIMEOUT_MS = 1_000

/** How long what was propagated before a stop may take to arrive. Below the deadline for a part (`node/assembly.ts`). */
const FLUSH_TIMEOUT_MS = 2_000

/** How long after it connected a peer may take to name its topics: two round trips across the world. */
const SETTLING_MS = 2_000

/** How often a silent connection is tried. Each try opens a stream, which costs more than an idle node does. */
const MONITOR_PERIOD_MS = 30_000

/** Assembles libp2p without starting it. @throws FloodgateError ADDRESS */
export async function openHost(
  options: HostOptions,
  parts: HostParts,
): Promise<{ host: Host; pubsub: PubSub }> {
  for (const address of [...options.listen, ...options.announce]) parseAddress(address)
  const traffic: Traffic = { sentBytes: 0, receivedBytes: 0 }
  const libp2p = await assemble(options, parts, traffic)
  const host = new Libp2pHost(libp2p, traffic, parts.clock, parts.logs.forComponent('host'), options)
  const pubsub = new GossipPubSub(libp2p.services.gossip, {
    log: parts.logs.forComponent('gossip'),
    metrics: parts.metrics.ours,
    connectionTo: peer => openConnection(libp2p, peer),
    isSettling: () => {
      const youngMs = parts.clock.wallMs() - SETTLING_MS
      return libp2p.getConnections().some(connection => (connection.timeline.open ?? 0) > youngMs)
    },
  })
  trafficMetrics(parts.metrics.ours, traffic)
  return { host, pubsub }
}

function assemble(options: HostOptions, parts: HostParts, traffic: Traffic): Promise<Libp2p<Services>> {
  const { connections } = options
  return createLibp2p<Services>({
    start: false,
    privateKey: parts.privateKey,
    nodeInfo: { name: 'floodgate', userAgent: options.agent },
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    logger: parts.logs.libp2p,
    metrics: () => parts.metrics.libp2p,
    transports: [parts.transport === undefined ? tcpTransport(traffic, options) : parts.transport(traffic)],
    connectionEncrypters: [parts.encrypter ?? streamNoise()],
    streamMuxers: [
      yamux({
        // A peer needs a handful of streams; a thousand (the default) is a way to fill our memory.
        maxInboundStreams: connections.streamsPerConnectionMax,
        maxOutboundStreams: connections.streamsPerConnectionMax,
        // Streams that the other side opened before their handler was ready.
        maxEarlyStreams: 10,
        // Keeps NATs open and notices a dead TCP connection.
        enableKeepAlive: true,
        keepAliveInterval: 30_000,
        // One frame: small enough that other streams get their turn, large enough to be cheap.
        maxMessageSize: 64 * 1024,
      }),
    ],
    connectionManager: {
      maxConnections: connections.max,
      maxParallelDials: connections.parallelDials,
      maxDialQueueLength: connections.dialQueueMax,
      dialTimeout: connections.dialTimeoutMs,
      addressDialTimeout: connections.dialTimeoutMs,
      // A peer may claim any number of addresses; five tries are enough for an honest one.
      maxPeerAddrsToDial: 5,
      connectionCloseTimeout: CLOSE_TIMEOUT_MS,
      inboundUpgradeTimeout: connections.upgradeTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: connections.upgradeTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: connections.upgradeTimeoutMs,
      inboundConnectionThreshold: connections.inboundPerSecondPerHost,
      maxIncomingPendingConnections: connections.pendingInboundMax,
      // Redialling is the connector's decision (`peers/connector.ts`), not libp2p's.
      reconnectRetries: 0,
    },
    connectionMonitor: {
      enabled: true,
      pingInterval: MONITOR_PERIOD_MS,
      // A connection that carries nothing must close, or its peer stays in the mesh and swallows messages.
      abortConnectionOnPingFailure: true,
    },
    services: {
      identify: identify({
        timeout: connections.upgradeTimeoutMs,
        // The library's own bound, against peers that send megabytes of addresses.
        maxMessageSize: 8 * 1024,
        maxObservedAddresses: 10,
      }),
      ping: ping({ timeout: PING_TIMEOUT_MS, maxInboundStreams: 2, maxOutboundStreams: 1 }),
      gossip: gossipService(options.gossip, parts.metrics.gossip),
    },
  })
}

function tcpTransport(
  traffic: Traffic,
  { connections: { max, pendingInboundMax } }: HostOptions,
): Transports[number] {
  return corkedTcp(traffic, {
    // A refused connection costs less than an accepted one that is then closed: the kernel's queue is short.
    backlog: 256,
    // Half-open peers are found by the connection monitor (`assemble`); this is the last resort for sockets that never spoke.
    inboundSocketInactivityTimeout: 120_000,
    outboundSocketInactivityTimeout: 120_000,
    // Headroom above `max` for sockets that are still shaking hands.
    maxConnections: max + pendingInboundMax,
  })
}

class Libp2pHost implements Host {
  readonly peer: PeerId
  readonly #libp2p: Libp2p<Services>
  readonly #traffic: Traffic
  readonly #clock: Clock
  readonly #log: Log
  readonly #dialTimeoutMs: number
  readonly #listen: readonly Address[]
  #stopped: Promise<void> | undefined

  constructor(libp2p: Libp2p<Services>, traffic: Traffic, clock: Clock, log: Log, options: HostOptions) {
    this.peer = libp2p.peerId.toString()
    this.#libp2p = libp2p
    this.#traffic = traffic
    this.#clock = clock
    this.#log = log
    this.#dialTimeoutMs = options.connections.dialTimeoutMs
    this.#listen = options.listen
  }

  async start(events: HostEvents): Promise<void> {
    this.#libp2p.addEventListener('connection:open', event => events.connected(this.#infoOf(event.detail)))
    this.#libp2p.addEventListener('peer:disconnect', event => events.disconnected(event.detail.toString()))
    try {
      await this.#libp2p.start()
    } catch (cause) {
      throw listenError(this.#listen, cause)
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#flush().then(() => this.#libp2p.stop())
    return this.#stopped
  }

  addresses(): Address[] {
    return this.#libp2p.getMultiaddrs().map(String)
  }

  connections(): ConnectionInfo[] {
    return this.#libp2p.getConnections().map(connection => this.#infoOf(connection))
  }

  async dial(address: Address, signal?: AbortSignal): Promise<PeerId> {
    const target = parseAddress(address)
    try {
      const connection = await this.#libp2p.dial(target, { signal: deadline(this.#dialTimeoutMs, signal) })
      return connection.remotePeer.toString()
    } catch (cause) {
      throw this.#failure('a dial', `cannot reach ${address}`, cause)
    }
  }

  async close(peer: PeerId): Promise<void> {
    const id = parsePeer(peer)
    await this.#libp2p.hangUp(id, { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) }).catch(cause => {
      // A peer that does not let go within the time is cut off.
      this.#log.debug('a connection had to be cut', { peer, reason: (cause as Error).message })
      for (const connection of this.#libp2p.getConnections(id)) connection.abort(cause as Error)
    })
  }

  async ping(target: Address, signal?: AbortSignal): Promise<number> {
    const address = parseAddress(target)
    try {
      return await this.#libp2p.services.ping.ping(address, { signal: deadline(PING_TIMEOUT_MS, signal) })
    } catch (cause) {
      throw this.#failure('a ping', `no ping from ${target}`, cause)
    }
  }

  traffic(): { sentBytes: number; receivedBytes: number } {
    return { ...this.#traffic }
  }

  /**
   * A round trip to every peer, behind all that was sent before. Why: a peer that sees a connection end throws away
   * what it has not read of it yet, the last messages before a stop.
   */
  async #flush(): Promise<void> {
    const signal = AbortSignal.timeout(FLUSH_TIMEOUT_MS)
    const peers = this.#libp2p.getPeers()
    await Promise.allSettled(peers.map(peer => this.#libp2p.services.ping.ping(peer, { signal })))
  }

  #failure(part: string, what: string, cause: unknown): FloodgateError {
    const error = networkError(what, cause)
    if (error.code === 'TIMEOUT') this.#log.warn('an await is past its deadline', { part, what })
    return error
  }

  #infoOf(connection: Connection): ConnectionInfo {
    return {
      peer: connection.remotePeer.toString(),
      address: connection.remoteAddr.toString(),
      direction: connection.direction,
      openedAtMs: connection.timeline.open ?? this.#clock.wallMs(),
    }
  }
}

function openConnection(libp2p: Libp2p, peer: Libp2pPeerId): Connection | undefined {
  return libp2p.getConnections(peer).find(connection => connection.status === 'open')
}

function trafficMetrics(metrics: Metrics, traffic: Traffic): void {
  metrics.counterFrom('floodgate_socket_bytes_total', 'Bytes through all sockets', ['direction'], () => [
    [{ direction: 'sent' }, traffic.sentBytes],
    [{ direction: 'received' }, traffic.receivedBytes],
  ])
}

function deadline(timeoutMs: number, signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs)
  return signal === undefined ? timeout : AbortSignal.any([timeout, signal])
}

function parseAddress(address: Address): Multiaddr {
  try {
    return multiaddr(address)
  } catch (cause) {
    const example = '/ip4/203.0.113.7/tcp/9000/p2p/12D3KooW…'
    throw new FloodgateError('ADDRESS', `${JSON.stringify(address)} is no multiaddr (example: ${example})`, {
      cause,
    })
  }
}

function parsePeer(peer: PeerId): Libp2pPeerId {
  try {
    return peerIdFromString(peer)
  } catch (cause) {
    throw new FloodgateError('ADDRESS', `${JSON.stringify(peer)} is no peer id (example: 12D3KooW…)`, {
      cause,
    })
  }
}

/** libp2p wraps the cause that helps (`ECONNREFUSED`) in layers of its own: the innermost one is quoted. */
/** libp2p's own message is a page long, and hides in it what the system said. */
function listenError(listen: readonly Address[], cause: unknown): unknown {
  if ((cause as Error).name !== 'UnsupportedListenAddressesError') return cause
  const reasons: Record<string, string> = {
    EADDRINUSE: 'the port is in use (EADDRINUSE), choose another one',
    EADDRNOTAVAIL: 'this machine does not have that address (EADDRNOTAVAIL)',
    EACCES: 'ports below 1024 need the right to listen on them (EACCES)',
  }
  const code = /EADDRINUSE|EADDRNOTAVAIL|EACCES/.exec((cause as Error).message)?.[0] ?? ''
  const reason = reasons[code] ?? 'expected addresses such as /ip4/0.0.0.0/tcp/9000'
  return new FloodgateError('LISTEN', `cannot listen on ${listen.join(', ')}: ${reason}`, { cause })
}

function networkError(what: string, cause: unknown): FloodgateError {
  const error = cause as Error
  const inner =
    error instanceof AggregateError && error.errors.length > 0 ? (error.errors[0] as Error) : error
  if (error.name === 'NoValidAddressesError') {
    return new FloodgateError(
      'ADDRESS',
      `${what}: expected an address with a transport, such as …/tcp/9000`,
      { cause },
    )
  }
  const timedOut =
    error.name === 'TimeoutError' || error.name === 'AbortError' || inner.name === 'TimeoutError'
  const text = timedOut ? `${what}: no answer in time` : `${what}: ${inner.message}`
  return new FloodgateError(timedOut ? 'TIMEOUT' : 'DIAL', text, { cause })
}
