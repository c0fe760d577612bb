/**
 * libp2p's connection gater, with the doorman behind it: who may connect is the peers layer's decision.
 *
 * Rules:
 * - Every step asks: a socket that has come in, an address that is about to be dialled, a peer id that was proved.
 *   That is before the step after it costs anything, and no part of libp2p has a way around it.
 * - Before a doorman is there, and once the node stops, nobody gets in or out.
 * - A socket has a number from the first question to its `close`, and the doorman is told of that once. It takes its
 *   time over a peer id, but not longer than a handshake may, and not longer than the socket lives: libp2p itself does
 *   not look at its deadline there, nor at a socket that has closed meanwhile.
 * - `dial` may be asked without a dial that follows: libp2p uses the same question to sort addresses.
 */
import type { ConnectionGater, PeerId as Libp2pPeerId, MultiaddrConnection } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DropReason } from '../core/drops.ts'
import { ipOf, peerOf } from '../core/endpoint.ts'
import type { Doorman, SocketId } from '../core/ports.ts'
import type { Address, Direction, PeerId } from '../core/types.ts'
import type { Refusal } from './dial-errors.ts'

/** A call of `Host.dial` that is under way, and why the doorman has ended it. */
export interface Attempt {
  readonly address: Address
  readonly peer: PeerId | undefined
  refusal: Refusal | undefined
}

export class Gater implements ConnectionGater {
  readonly #handshakeTimeoutMs: number
  /** Sockets that the doorman knows. Bounded by what it lets in. */
  readonly #sockets = new Map<SocketId, MultiaddrConnection>()
  readonly #numbers = new WeakMap<MultiaddrConnection, SocketId>()
  /** Bounded by the dials that may wait. */
  readonly #attempts = new Set<Attempt>()
  #doorman: Doorman | undefined
  #made: SocketId = 0

  /** @param handshakeTimeoutMs how long the doorman may take over a peer id */
  constructor(handshakeTimeoutMs: number) {
    this.#handshakeTimeoutMs = handshakeTimeoutMs
  }

  open(doorman: Doorman): void {
    this.#doorman = doorman
  }

  /** Refuses everybody from now on. The doorman is still told of sockets that close. */
  close(): void {
    this.#doorman = undefined
  }

  /** To be called before a dial of ours, so that the doorman knows it as such; and `end` after it. */
  begin(address: Address): Attempt {
    const attempt: Attempt = { address, peer: peerOf(address), refusal: undefined }
    this.#attempts.add(attempt)
    return attempt
  }

  end(attempt: Attempt): void {
    this.#attempts.delete(attempt)
  }

  /** Ends a socket at once; one that is gone is fine. */
  cut(socket: SocketId): void {
    this.#sockets.get(socket)?.abort(new Error('cut by the doorman'))
  }

  denyDialMultiaddr(address: Multiaddr): boolean {
    const text = address.toString()
    const ours = [...this.#attempts].some(attempt => attempt.address === text)
    const reason = this.#doorman === undefined ? 'stopping' : this.#doorman.dial(text, ours)
    if (reason !== undefined) this.#remember(text, { reason, peer: peerOf(text) })
    return reason !== undefined
  }

  denyInboundConnection(connection: MultiaddrConnection): boolean {
    if (this.#doorman === undefined || connection.status !== 'open') return true
    const socket = ++this.#made
    if (this.#doorman.accept(socket, ipOf(connection.remoteAddr.toString()) ?? '') !== undefined) return true
    this.#number(socket, connection, this.#doorman)
    return false
  }

  denyInboundEncryptedConnection(peer: Libp2pPeerId, connection: MultiaddrConnection): Promise<boolean> {
    return this.#isDenied(peer, connection, 'inbound')
  }

  denyOutboundEncryptedConnection(peer: Libp2pPeerId, connection: MultiaddrConnection): Promise<boolean> {
    return this.#isDenied(peer, connection, 'outbound')
  }

  denyInboundUpgradedConnection(_peer: Libp2pPeerId, connection: MultiaddrConnection): boolean {
    return connection.status !== 'open'
  }

  denyOutboundUpgradedConnection(_peer: Libp2pPeerId, connection: MultiaddrConnection): boolean {
    return connection.status !== 'open'
  }

  async #isDenied(id: Libp2pPeerId, connection: MultiaddrConnection, direction: Direction): Promise<boolean> {
    const doorman = this.#doorman
    if (doorman === undefined || connection.status !== 'open') return true
    const socket = this.#numbers.get(connection) ?? this.#number(++this.#made, connection, doorman)
    const peer = id.toString()
    const dialled = connection.remoteAddr.toString()
    const address = peerOf(dialled) === undefined ? `${dialled}/p2p/${peer}` : dialled
    const asked = doorman.authenticated({ socket, peer, address, direction })
    const reason = await this.#inTime(connection, asked)
    if (reason !== undefined) this.#remember(dialled, { reason, peer })
    return reason !== undefined
  }

  #number(socket: SocketId, connection: MultiaddrConnection, doorman: Doorman): SocketId {
    this.#sockets.set(socket, connection)
    this.#numbers.set(connection, socket)
    const forget = (): void => {
      this.#sockets.delete(socket)
      doorman.closed(socket)
    }
    connection.addEventListener('close', forget, { once: true })
    return socket
  }

  /** The doorman's answer, or `handshake` where it does not come in time. */
  #inTime(
    connection: MultiaddrConnection,
    asked: Promise<DropReason | undefined>,
  ): Promise<DropReason | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<DropReason | undefined>()
    const late = (): void => resolve('handshake')
    const timer = setTimeout(late, this.#handshakeTimeoutMs)
    connection.addEventListener('close', late, { once: true })
    asked.then(resolve, reject)
    return promise.finally(() => {
      clearTimeout(timer)
      connection.removeEventListener('close', late)
    })
  }

  /** For the dials that wait for this address, or for this peer at another one: libp2p makes one dial of them. */
  #remember(address: Address, refusal: Refusal): void {
    for (const attempt of this.#attempts) {
      const isSame =
        attempt.address === address || (attempt.peer !== undefined && attempt.peer === refusal.peer)
      if (isSame) attempt.refusal = refusal
    }
  }
}
