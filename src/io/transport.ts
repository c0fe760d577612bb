/**
 * TCP for libp2p, with two additions: what is written in one tick leaves as one system call, and all bytes
 * are counted.
 *
 * Why: Noise and Yamux hand the socket each small piece by itself, so one gossip message of 256 bytes is
 * four `write(2)`, and, with TCP_NODELAY, up to four packets. The cork alone takes a third off the CPU time of
 * a message of 256 bytes, and a seventh at 1 kB; the round trip of a single message stays what it was. Waiting
 * for `setImmediate` instead of `process.nextTick` measured no better, and would hold every byte until all
 * sockets that are readable have been served.
 *
 * Rules:
 * - The cork comes off in `process.nextTick`: when the code that wrote and the promises that it resolved are
 *   done, before any other event.
 * - The cork comes off at once when the socket says that it is full (its high-water mark, 64 KiB), so no
 *   more waits here than would in the socket, and `canSendMore` and `drain` mean what they always mean.
 * - Closing writes what is corked first (`end` uncorks). Aborting throws it away, like everything unsent.
 *
 * How: libp2p's TCP gives each connection to an upgrader, and gets one from us that prepares the connection
 * before it passes it on. The socket sits in a private field there. `socketConnection` is the one place
 * that reaches for it and asserts that it is what `@libp2p/tcp` 11.0.28 has; an update that changes it
 * fails on the first connection.
 */
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import {
  type Connection,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type MultiaddrConnection,
  serviceCapabilities,
  type Transport,
  transportSymbol,
  type Upgrader,
  type UpgraderOptions,
} from '@libp2p/interface'
import { type TCPComponents, type TCPDialEvents, type TCPOptions, tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'

/**
 * Bytes through all sockets of a transport, with handshakes, encryption and framing, without TCP and IP.
 * Sent means handed to the socket. Owned by the caller, who may read it at any time and set it back to
 * zero.
 */
export interface Traffic {
  sentBytes: number
  receivedBytes: number
}

/** What a connection of `@libp2p/tcp` is inside: `AbstractMultiaddrConnection` with its socket. */
interface SocketConnection extends MultiaddrConnection {
  readonly socket: Socket
  /** Writes to the socket until all is written or the socket is full. */
  sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean }
}

function socketConnection(connection: MultiaddrConnection): SocketConnection {
  const inside = connection as SocketConnection
  assert(inside.socket instanceof Socket, '@libp2p/tcp no longer keeps the socket in the field `socket`')
  assert(typeof inside.sendData === 'function', '@libp2p/tcp no longer writes in the method `sendData`')
  return inside
}

/** Corks and counts a connection that `@libp2p/tcp` has just made. Once for each. */
export function corkConnection(made: MultiaddrConnection, traffic: Traffic): void {
  const connection = socketConnection(made)
  const { socket } = connection
  const sendData = connection.sendData.bind(connection)
  let corked = false

  const uncork = (): void => {
    if (!corked) return
    corked = false
    socket.uncork()
  }

  connection.sendData = data => {
    if (!corked) {
      corked = true
      socket.cork()
      process.nextTick(uncork)
    }
    const result = sendData(data)
    traffic.sentBytes += result.sentBytes
    if (!result.canSendMore) uncork()
    return result
  }

  socket.on('data', (chunk: Buffer) => {
    traffic.receivedBytes += chunk.byteLength
  })
}

/** An upgrader that corks and counts each connection before `upgrader` gets it. */
function corkingUpgrader(upgrader: Upgrader, traffic: Traffic): Upgrader {
  return {
    upgradeInbound: (connection: MultiaddrConnection, options: UpgraderOptions) => {
      corkConnection(connection, traffic)
      return upgrader.upgradeInbound(connection, options)
    },
    upgradeOutbound: (connection: MultiaddrConnection, options: UpgraderOptions) => {
      corkConnection(connection, traffic)
      return upgrader.upgradeOutbound(connection, options)
    },
    createInboundAbortSignal: signal => upgrader.createInboundAbortSignal(signal),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
  }
}

class CorkedTcp implements Transport<TCPDialEvents> {
  readonly [transportSymbol] = true
  readonly [Symbol.toStringTag] = '@libp2p/tcp'
  readonly [serviceCapabilities] = ['@libp2p/transport']
  readonly #tcp: Transport<TCPDialEvents>
  readonly #traffic: Traffic

  constructor(inner: Transport<TCPDialEvents>, traffic: Traffic) {
    this.#tcp = inner
    this.#traffic = traffic
  }

  dial(address: Multiaddr, options: DialTransportOptions<TCPDialEvents>): Promise<Connection> {
    return this.#tcp.dial(address, { ...options, upgrader: corkingUpgrader(options.upgrader, this.#traffic) })
  }

  createListener(options: CreateListenerOptions): Listener {
    return this.#tcp.createListener({
      ...options,
      upgrader: corkingUpgrader(options.upgrader, this.#traffic),
    })
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    return this.#tcp.listenFilter(addresses)
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return this.#tcp.dialFilter(addresses)
  }
}

/**
 * In place of `tcp(options)` in a libp2p configuration.
 *
 * @param traffic counts up from what it holds; one object for each node
 */
export function corkedTcp(
  traffic: Traffic,
  options: TCPOptions = {},
): (components: TCPComponents) => Transport {
  return components => new CorkedTcp(tcp(options)(components), traffic)
}
