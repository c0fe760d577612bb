/**
 * What can go wrong between this node and another, in our words: addresses that cannot be read, dials that fail, and
 * dials that our own rules refuse.
 *
 * libp2p wraps the cause that helps (`ECONNREFUSED`) in layers of its own; the innermost one is quoted.
 */
import type { PeerId as Libp2pPeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { DROP_REASONS, type DropReason } from '../core/drops.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Address, PeerId } from '../core/types.ts'

/** Why our own rules have closed a connection, or not opened it. The `cause` of a `DENIED`. */
export interface Refusal {
  readonly reason: DropReason
  /** Who is there, where that is known: it stood in the address, or was proved. */
  readonly peer: PeerId | undefined
}

/** libp2p's names for a connection that its gater did not let pass. */
const GATED = new Set(['DialDeniedError', 'ConnectionInterceptedError'])

/** libp2p's name for several, and what it says when a dial has come back to this node. */
const SELF = { name: 'InvalidPeerIdError', message: 'Can not dial self' }

export function parseAddress(address: Address): Multiaddr {
  try {
    return multiaddr(address)
  } catch (cause) {
    const example = '/ip4/203.0.113.7/tcp/9000/p2p/12D3KooW…'
    throw new FloodgateError('ADDRESS', `${JSON.stringify(address)} is no multiaddr (example: ${example})`, {
      cause,
    })
  }
}

export function parsePeer(peer: PeerId): Libp2pPeerId {
  try {
    return peerIdFromString(peer)
  } catch (cause) {
    throw new FloodgateError('ADDRESS', `${JSON.stringify(peer)} is no peer id (example: 12D3KooW…)`, {
      cause,
    })
  }
}

/** libp2p's own message is a page long, and hides in it what the system said. */
export function listenError(listen: readonly Address[], cause: unknown): unknown {
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

/** ADDRESS, TIMEOUT or DIAL. */
export function networkError(what: string, cause: unknown): FloodgateError {
  const error = cause as Error
  const [inner = error] = errorsOf(cause)
  if (error.name === 'NoValidAddressesError') {
    const text = `${what}: expected an address with a transport, such as …/tcp/9000`
    return new FloodgateError('ADDRESS', text, { cause })
  }
  const timedOut = [error.name, inner.name].some(name => name === 'TimeoutError' || name === 'AbortError')
  const text = timedOut ? `${what}: no answer in time` : `${what}: ${inner.message}`
  return new FloodgateError(timedOut ? 'TIMEOUT' : 'DIAL', text, { cause })
}

/** DENIED, with the refusal as its cause. */
export function deniedError(what: string, refusal: Refusal): FloodgateError {
  return new FloodgateError('DENIED', `${what}: ${DROP_REASONS[refusal.reason]}`, { cause: refusal })
}

/** A dial has ended at this node itself. */
export function isSelfDial(cause: unknown): boolean {
  return errorsOf(cause).some(({ name, message }) => name === SELF.name && message === SELF.message)
}

/** Our gater has ended a dial, or one of the tries of which it was made. */
export function isGated(cause: unknown): boolean {
  return errorsOf(cause).some(({ name }) => GATED.has(name))
}

/** An error, or those that it collects. */
function errorsOf(cause: unknown): Error[] {
  return cause instanceof AggregateError && cause.errors.length > 0 ? cause.errors : [cause as Error]
}
