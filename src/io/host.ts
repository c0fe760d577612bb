/**
 * The `Host` port on libp2p: connections to other nodes, and our own protocols on them.
 *
 * Rules:
 * - libp2p's types end here: a peer is a string, an address a string, a failure a `FloodgateError`.
 * - Who may connect is asked of the doorman (`gater.ts`), what libp2p may do and cost is set in `libp2p.ts`.
 * - Every await on the network has a deadline, and one that is past it is logged.
 */
import assert from 'node:assert/strict'
import type { Connection, IdentifyResult, Libp2p, PeerId as Libp2pPeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { peerOf } from '../core/endpoint.ts'
import { FloodgateError } from '../core/errors.ts'
import type {
  Channel,
  ChannelEvents,
  ChannelLimits,
  Clock,
  ConnectionInfo,
  Doorman,
  Host,
  HostEvents,
  Log,
  Metrics,
  ProtocolLimits,
  PubSub,
  SocketId,
} from '../core/ports.ts'
import type { Address, PeerId } from '../core/types.ts'
import { Channels } from './channels.ts'
import type { Hints } from './dht.ts'
import {
  deniedError,
  isGated,
  isSelfDial,
  listenError,
  networkError,
  parseAddress,
  parsePeer,
  type Refusal,
} from './dial-errors.ts'
import { Gater } from './gater.ts'
import {
  assemble,
  CLOSE_TIMEOUT_MS,
  type Foundations,
  type HostOptions,
  PING_TIMEOUT_MS,
  type Services,
} from './libp2p.ts'
import { Liveness } from './liveness.ts'
import { Negotiations } from './negotiations.ts'
import { FORGET_PERIOD_MS, forgetStrangers } from './peer-records.ts'
import { type Handler, Protocols } from './protocols.ts'
import { GossipPubSub } from './pubsub.ts'
import type { Traffic } from './transport.ts'

/** What of libp2p may be replaced; for simulators, and for networks that are not TCP. */
export type NetworkParts = Pick<Foundations, 'transport' | 'encrypter'>

export interface HostParts extends NetworkParts, Pick<Foundations, 'privateKey' | 'logs' | 'metrics'> {
  readonly clock: Clock
  /** Resolves when a connected peer may gossip: true, or false when it is being dropped. */
  greeted(peer: PeerId): Promise<boolean>
}

/** How long what was propagated before a stop may take to arrive. Below the deadline for a part (`node/assembly.ts`). */
const FLUSH_TIMEOUT_MS = 2_000

/** How long after it connected a peer may take to name its topics: two round trips across the world. */
const SETTLING_MS = 2_000

/** What a peer calls itself is shown to people: its beginning, in letters that do nothing to a terminal. */
const AGENT_MAX = 64

export interface OpenedHost {
  readonly host: Host
  readonly pubsub: PubSub
  /** Absent where the node takes no part in Kademlia. */
  readonly hints?: Hints
}

/** Assembles libp2p without starting it. @throws FloodgateError ADDRESS */
export async function openHost(options: HostOptions, parts: HostParts): Promise<OpenedHost> {
  for (const address of [...options.listen, ...options.announce]) parseAddress(address)
  const traffic: Traffic = { sentBytes: 0, receivedBytes: 0 }
  const gater = new Gater(options.connections.upgradeTimeoutMs)
  const negotiations = new Negotiations()
  const libp2p = await assemble(options, { ...parts, traffic, gater, negotiations })
  const log = parts.logs.forComponent('host')
  const host = new Libp2pHost({ libp2p, gater, negotiations, traffic, clock: parts.clock, log }, options)
  const pubsub = new GossipPubSub(libp2p.services.gossip, {
    log: parts.logs.forComponent('gossip'),
    metrics: parts.metrics.ours,
    connectionTo: peer => openConnection(libp2p, peer),
    isSettling: () => {
      const youngMs = parts.clock.wallMs() - SETTLING_MS
      return libp2p.getConnections().some(connection => (connection.timeline.open ?? 0) > youngMs)
    },
    greeted: peer => parts.greeted(peer),
  })
  trafficMetrics(parts.metrics.ours, traffic)
  const { dht } = libp2p.services
  return dht === undefined ? { host, pubsub } : { host, pubsub, hints: dht }
}

interface Insides {
  readonly libp2p: Libp2p<Services>
  readonly gater: Gater
  readonly negotiations: Negotiations
  readonly traffic: Traffic
  readonly clock: Clock
  readonly log: Log
}

class Libp2pHost implements Host {
  readonly peer: PeerId
  readonly #libp2p: Libp2p<Services>
  readonly #gater: Gater
  readonly #traffic: Traffic
  readonly #clock: Clock
  readonly #log: Log
  readonly #dialTimeoutMs: number
  readonly #listen: readonly Address[]
  readonly #announce: readonly Address[]
  readonly #protocols: Protocols
  readonly #channels: Channels
  readonly #liveness: Liveness
  #events: HostEvents | undefined
  #stopForgetting = (): void => {}
  #stopped: Promise<void> | undefined

  constructor({ libp2p, gater, negotiations, traffic, clock, log }: Insides, options: HostOptions) {
    this.peer = libp2p.peerId.toString()
    this.#libp2p = libp2p
    this.#gater = gater
    this.#traffic = traffic
    this.#clock = clock
    this.#log = log
    this.#dialTimeoutMs = options.connections.dialTimeoutMs
    this.#listen = options.listen
    this.#announce = options.announce
    this.#liveness = new Liveness({
      connections: () => libp2p.getConnections(),
      clock,
      log,
      silent: peer => this.#events?.silent(peer),
    })
    negotiations.malformed = (peer, detail) => this.#events?.offence(peer, 'malformed', detail)
    const offence: HostEvents['offence'] = (...told) => this.#events?.offence(...told)
    this.#protocols = new Protocols({ libp2p, log, offence })
    const connectionTo = (peer: PeerId) => openConnection(libp2p, parsePeer(peer))
    this.#channels = new Channels({ libp2p, log, offence, connectionTo })
  }

  async start(events: HostEvents, doorman: Doorman): Promise<void> {
    this.#events = events
    this.#libp2p.addEventListener('connection:open', event => events.connected(this.#infoOf(event.detail)))
    this.#libp2p.addEventListener('peer:disconnect', event => events.disconnected(event.detail.toString()))
    this.#libp2p.addEventListener('peer:identify', event => this.#identify(event.detail))
    await this.#protocols.ready()
    await this.#channels.ready()
    this.#gater.open(doorman)
    this.#liveness.start()
    this.#stopForgetting = this.#clock.every(FORGET_PERIOD_MS, () => void this.#forget())
    try {
      await this.#libp2p.start()
    } catch (cause) {
      throw listenError(this.#listen, cause)
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Not libp2p's own list: it leaves out public addresses that nobody has verified for it, on every public node. */
  addresses(): Address[] {
    const listening = listenersOf(this.#libp2p).getAddrs().map(String)
    const addresses = this.#announce.length > 0 ? this.#announce : listening
    return addresses.map(address => (peerOf(address) === undefined ? `${address}/p2p/${this.peer}` : address))
  }

  connections(): ConnectionInfo[] {
    return this.#libp2p.getConnections().map(connection => this.#infoOf(connection))
  }

  async dial(address: Address, signal?: AbortSignal): Promise<PeerId> {
    const target = parseAddress(address)
    return await this.#reach('a dial', `cannot reach ${address}`, target.toString(), async () => {
      const connection = await this.#libp2p.dial(target, { signal: deadline(this.#dialTimeoutMs, signal) })
      return connection.remotePeer.toString()
    })
  }

  async close(peer: PeerId): Promise<void> {
    const id = parsePeer(peer)
    await this.#libp2p.hangUp(id, { signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) }).catch(cause => {
      // A peer that does not let go within the time is cut off.
      this.#log.debug('a connection had to be cut', { peer, reason: (cause as Error).message })
      for (const connection of this.#libp2p.getConnections(id)) connection.abort(cause as Error)
    })
  }

  cut(socket: SocketId): void {
    this.#gater.cut(socket)
  }

  async ping(target: Address, signal?: AbortSignal): Promise<number> {
    try {
      return await this.#ping(target, signal)
    } catch (error) {
      // An address that does not say whose it is may be a connected peer's.
      const { reason, peer } = ((error as Error).cause ?? {}) as Partial<Refusal>
      if (reason !== 'duplicate' || peer === undefined) throw error
      return await this.#ping(`/p2p/${peer}`, signal)
    }
  }

  async #ping(target: Address, signal?: AbortSignal): Promise<number> {
    const address = parseAddress(target)
    return await this.#reach('a ping', `no ping from ${target}`, address.toString(), () =>
      this.#libp2p.services.ping.ping(address, { signal: deadline(PING_TIMEOUT_MS, signal) }),
    )
  }

  serve(protocol: string, limits: ProtocolLimits, handler: Handler): void {
    this.#protocols.serve(protocol, limits, handler)
  }

  async request(
    peer: PeerId,
    protocol: string,
    frame: Uint8Array,
    limits: ProtocolLimits,
  ): Promise<Uint8Array> {
    const connection = openConnection(this.#libp2p, parsePeer(peer))
    if (connection === undefined) throw new FloodgateError('NO_PEER', `not connected to ${peer}`)
    return await this.#protocols.request(connection, protocol, frame, limits)
  }

  channel(protocol: string, limits: ChannelLimits, events: ChannelEvents): Channel {
    return this.#channels.add(protocol, limits, events)
  }

  traffic(): { sentBytes: number; receivedBytes: number } {
    return { ...this.#traffic }
  }

  async #stop(): Promise<void> {
    this.#gater.close()
    this.#liveness.stop()
    this.#stopForgetting()
    await this.#flush()
    this.#channels.stop()
    await this.#libp2p.stop()
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

  /** Runs what may dial an address, as a dial of ours. */
  async #reach<T>(part: string, what: string, address: Address, run: () => Promise<T>): Promise<T> {
    const attempt = this.#gater.begin(address)
    try {
      return await run()
    } catch (cause) {
      if (isSelfDial(cause)) throw deniedError(what, { reason: 'self', peer: this.peer })
      if (isGated(cause) && attempt.refusal !== undefined) throw deniedError(what, attempt.refusal)
      const error = networkError(what, cause)
      if (error.code === 'TIMEOUT') this.#log.warn('an await is past its deadline', { part, what })
      throw error
    } finally {
      this.#gater.end(attempt)
    }
  }

  /** Once for each connection: what a peer pushes later is not listened to. */
  #identify({ peerId, protocols, agentVersion = '' }: IdentifyResult): void {
    const agent = agentVersion.slice(0, AGENT_MAX).replace(/[^\x20-\x7e]/g, '?')
    this.#events?.identified(peerId.toString(), protocols, agent)
  }

  async #forget(): Promise<void> {
    await forgetStrangers(this.#libp2p).catch(error => {
      this.#log.debug('old records of peers stay', { reason: (error as Error).message })
    })
  }

  #infoOf(connection: Connection): ConnectionInfo {
    return {
      peer: connection.remotePeer.toString(),
      address: connection.remoteAddr.toString(),
      direction: connection.direction,
      openedAtMs: connection.timeline.open ?? this.#clock.wallMs(),
      rttMs: connection.rtt,
    }
  }
}

/** A part of libp2p that its interface does not show. */
function listenersOf(libp2p: Libp2p<Services>): { getAddrs(): Multiaddr[] } {
  const { components } = libp2p as unknown as {
    components?: { transportManager?: { getAddrs(): Multiaddr[] } }
  }
  assert.ok(components?.transportManager !== undefined, 'libp2p has changed: its transport manager is gone')
  return components.transportManager
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
