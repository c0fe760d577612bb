/**
 * A libp2p transport over the simulated network, in place of TCP. Addresses look like TCP's (`/ip4/44.0.3.1/tcp/9000`),
 * so that everything that looks at them (groups, scores by address, address books) does its real work.
 */
import {
  type ComponentLogger,
  type Connection,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type ListenerEvents,
  type Logger,
  serviceCapabilities,
  setMaxListeners,
  type Transport,
  TypedEventEmitter,
  transportSymbol,
  type Upgrader,
} from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Traffic } from '../io/transport.ts'
import { SimConnection } from './connection.ts'
import type { Host } from './host.ts'
import type { Network } from './network.ts'
import type { Socket } from './socket.ts'

/** What of the node's surroundings a transport needs. */
interface Place {
  readonly network: Network
  readonly host: Host
  readonly traffic: Traffic
  readonly log: Logger
}

/** A transport for the process that runs on `host`. For `NodeParts.transport`. */
export function simTransport(network: Network, host: Host) {
  return (traffic: Traffic) =>
    (components: { logger: ComponentLogger }): Transport =>
      new SimTransport({ network, host, traffic, log: components.logger.forComponent('libp2p:sim') })
}

class SimTransport implements Transport {
  readonly [transportSymbol] = true
  readonly [Symbol.toStringTag] = 'floodgate/sim'
  readonly [serviceCapabilities] = ['@libp2p/transport']
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  async dial(remoteAddr: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const { network, host, traffic, log } = this.#place
    const { ip, port } = endpointOf(remoteAddr)
    const socket = await network.dial(host, ip, port, options.signal)
    const connection = new SimConnection({
      socket,
      remoteAddr,
      direction: 'outbound',
      log: log.newScope('connection'),
      traffic,
    })
    try {
      return await options.upgrader.upgradeOutbound(connection, options)
    } catch (error) {
      connection.abort(error as Error)
      throw error
    }
  }

  createListener({ upgrader }: CreateListenerOptions): Listener {
    return new SimListener(this.#place, upgrader)
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter(isEndpoint)
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter(isEndpoint)
  }
}

class SimListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #place: Place
  readonly #upgrader: Upgrader
  readonly #abort = new AbortController()
  readonly #sockets = new Set<Socket>()
  #port: number | undefined

  constructor(place: Place, upgrader: Upgrader) {
    super()
    this.#place = place
    this.#upgrader = upgrader
    setMaxListeners(Number.POSITIVE_INFINITY, this.#abort.signal)
  }

  async listen(address: Multiaddr): Promise<void> {
    const { host } = this.#place
    const port = endpointOf(address).port || host.freePort()
    host.listen(port, socket => this.#accept(socket))
    this.#port = port
    this.safeDispatchEvent('listening')
  }

  /** The host's one address, also for a listener on all addresses. */
  getAddrs(): Multiaddr[] {
    return this.#port === undefined ? [] : [addressOf(this.#place.host.ip, this.#port)]
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    if (this.#port === undefined) return
    this.#place.host.unlisten(this.#port)
    this.#port = undefined
    this.#abort.abort()
    for (const socket of this.#sockets) socket.end()
    this.safeDispatchEvent('close')
  }

  #accept(socket: Socket): void {
    const { remoteIp, remotePort } = socket
    const connection = new SimConnection({
      socket,
      remoteAddr: addressOf(remoteIp, remotePort),
      direction: 'inbound',
      log: this.#place.log.newScope('connection'),
      traffic: this.#place.traffic,
    })
    this.#sockets.add(socket)
    connection.addEventListener('close', () => this.#sockets.delete(socket))
    this.#upgrader
      .upgradeInbound(connection, { signal: this.#abort.signal })
      .catch(error => connection.abort(error as Error))
  }
}

function addressOf(ip: string, port: number): Multiaddr {
  return multiaddr(`/ip4/${ip}/tcp/${port}`)
}

function endpointOf(address: Multiaddr): { ip: string; port: number } {
  const [host, tcp] = address.getComponents()
  return { ip: host?.value ?? '', port: Number(tcp?.value ?? 0) }
}

/** `/ip4/…/tcp/…`, with or without a peer id. */
function isEndpoint(address: Multiaddr): boolean {
  const [host, tcp, peer, ...rest] = address.getComponents()
  return (
    host?.name === 'ip4' &&
    tcp?.name === 'tcp' &&
    (peer === undefined || peer.name === 'p2p') &&
    rest.length === 0
  )
}
