/**
 * libp2p, assembled and bounded: TCP, Noise, yamux, identify, ping, gossipsub as a service, and Kademlia where wanted.
 *
 * Rules:
 * - Every option that we rely on is set here, each with its reason, also where it equals today's default: a
 *   new version of a library must not change a limit behind our back. `docs/limits.md` lists them all.
 * - Peers, discovery and dialling policy are not libp2p's business. It has no auto-dialler; its reconnect queue serves
 *   only peers with a tag that nobody sets here; its pruner and its cap on connections sit above our own caps; its
 *   resolver of names is taken out, since nothing there bounds what a name may answer (`peers/dns-seeds.ts` does).
 */
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { type Ping, ping } from '@libp2p/ping'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2pOptions, type ServiceFactoryMap } from 'libp2p'
import type { Address } from '../core/types.ts'
import { type DhtOptions, dhtService, type Hints } from './dht.ts'
import type { Gater } from './gater.ts'
import { type Gossip, type GossipOptions, gossipService } from './gossipsub.ts'
import type { Logs } from './log.ts'
import type { NodeMetrics } from './metrics.ts'
import type { Negotiations } from './negotiations.ts'
import { streamNoise } from './noise.ts'
import { corkedTcp, type Traffic } from './transport.ts'

export interface HostOptions {
  readonly listen: readonly Address[]
  readonly announce: readonly Address[]
  readonly agent: string
  readonly connections: {
    /** Our own caps in sum. libp2p's lies above, so that a newcomer gets in and somebody else can be evicted for it. */
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
  /** Without it the node takes no part in Kademlia at all. */
  readonly dht?: DhtOptions | undefined
}

type Transports = NonNullable<Libp2pOptions['transports']>
type Encrypters = NonNullable<Libp2pOptions['connectionEncrypters']>

/** What libp2p stands on. */
export interface Foundations {
  readonly privateKey: PrivateKey
  readonly logs: Logs
  readonly metrics: NodeMetrics
  readonly gater: Gater
  readonly negotiations: Negotiations
  readonly traffic: Traffic
  /** A transport; it adds what it carries to `traffic`. TCP with corked writes without it. */
  readonly transport?: (traffic: Traffic) => Transports[number]
  /** What authenticates and encrypts connections. Noise without it. */
  readonly encrypter?: Encrypters[number]
}

export type Services = { identify: Identify; ping: Ping; gossip: Gossip; dht?: Hints }

/** How long a ping may take; a neighbour across the world answers in 0.4 s. */
export const PING_TIMEOUT_MS = 5_000

/** How long a connection may take to close before it is cut. */
export const CLOSE_TIMEOUT_MS = 1_000

/** libp2p's own caps on sockets that shake hands lie so far above the doorman's. Cut ones count a little longer. */
const PENDING_HEADROOM = 4

/** Assembles libp2p without starting it. */
export function assemble(options: HostOptions, foundations: Foundations): Promise<Libp2p<Services>> {
  const { connections } = options
  const { privateKey, logs, metrics, gater, negotiations, traffic, transport, encrypter } = foundations
  const made = transport === undefined ? tcpTransport(traffic, options) : transport(traffic)
  return createLibp2p<Services>({
    start: false,
    privateKey,
    nodeInfo: { name: 'floodgate', userAgent: options.agent },
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    logger: logs.libp2p,
    metrics: () => metrics.libp2p,
    connectionGater: gater,
    transports: [negotiations.transport(made)],
    connectionEncrypters: [negotiations.encrypter(encrypter ?? streamNoise())],
    streamMuxers: [negotiations.multiplexer(multiplexer(connections.streamsPerConnectionMax))],
    connectionManager: connectionManager(connections),
    // `liveness.ts` tries connections: the library's deadline breaks when the wall clock is set back.
    connectionMonitor: { enabled: false },
    services: services(options, metrics),
  })
}

function services(options: HostOptions, metrics: NodeMetrics): ServiceFactoryMap<Services> {
  const made = {
    identify: identify({
      timeout: options.connections.upgradeTimeoutMs,
      // The library's own bound, against peers that send megabytes of addresses.
      maxMessageSize: 8 * 1024,
      maxObservedAddresses: 10,
    }),
    // Of `liveness.ts`, the doorman and a person at the same moment: a refusal is taken for a dead connection.
    ping: ping({ timeout: PING_TIMEOUT_MS, maxInboundStreams: 4, maxOutboundStreams: 4 }),
    gossip: gossipService(options.gossip, metrics.gossip),
  }
  return options.dht === undefined ? made : { ...made, dht: dhtService(options.dht) }
}

function multiplexer(streamsMax: number): ReturnType<typeof yamux> {
  return yamux({
    // A peer needs a handful of streams; a thousand (the default) is a way to fill our memory.
    maxInboundStreams: streamsMax,
    maxOutboundStreams: streamsMax,
    // Streams that the other side opened before their handler was ready.
    maxEarlyStreams: 10,
    // Keeps NATs open and notices a dead TCP connection.
    enableKeepAlive: true,
    keepAliveInterval: 30_000,
    // One frame: small enough that other streams get their turn, large enough to be cheap.
    maxMessageSize: 64 * 1024,
  })
}

function connectionManager(
  connections: HostOptions['connections'],
): NonNullable<Libp2pOptions['connectionManager']> {
  return {
    // Above it libp2p refuses newcomers, and prunes by tags that a remote peer can influence.
    maxConnections: connections.max + connections.pendingInboundMax,
    maxParallelDials: connections.parallelDials,
    maxDialQueueLength: connections.dialQueueMax,
    dialTimeout: connections.dialTimeoutMs,
    addressDialTimeout: connections.dialTimeoutMs,
    // A peer may claim any number of addresses; five tries are enough for an honest one.
    maxPeerAddrsToDial: 5,
    // Names that lead to addresses (`/dnsaddr`) are not asked here: the header says why.
    resolvers: {},
    connectionCloseTimeout: CLOSE_TIMEOUT_MS,
    inboundUpgradeTimeout: connections.upgradeTimeoutMs,
    inboundStreamProtocolNegotiationTimeout: connections.upgradeTimeoutMs,
    outboundStreamProtocolNegotiationTimeout: connections.upgradeTimeoutMs,
    inboundConnectionThreshold: connections.inboundPerSecondPerHost,
    // Never reached: libp2p would refuse the newcomer, and the doorman (`peers/admission.ts`) evicts a silent one.
    maxIncomingPendingConnections: PENDING_HEADROOM * connections.pendingInboundMax,
    // Redialling is the peers layer's decision. With 0 the queue still tries once; but it serves only peers with a tag
    // `keep-alive…`, and there are none (`dht.ts` keeps Kademlia's from being set).
    reconnectRetries: 0,
  }
}

function tcpTransport(
  traffic: Traffic,
  { connections: { max, pendingInboundMax } }: HostOptions,
): Transports[number] {
  return corkedTcp(traffic, {
    // A refused connection costs less than an accepted one that is then closed: the kernel's queue is short.
    backlog: 256,
    // Half-open peers are found by `liveness.ts`; this is the last resort for sockets that never spoke.
    inboundSocketInactivityTimeout: 120_000,
    outboundSocketInactivityTimeout: 120_000,
    // Headroom above libp2p's own cap for sockets that are still shaking hands.
    maxConnections: max + PENDING_HEADROOM * pendingInboundMax,
  })
}
