/**
 * Reaching a peer that the program asks for: a dial, and the handshake.
 *
 * Why it may take several dials: two nodes that dial each other at the same moment keep one connection of the two
 * (`doorman.ts`), which may be the other one's; and who comes back in the moment in which it left can find its old
 * connection still in its place. Both look like a connection that ends without a reason. What has a reason is final.
 */
import { DROP_REASONS } from '../core/drops.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Clock, Host, Resolver } from '../core/ports.ts'
import type { Address, PeerId } from '../core/types.ts'
import { duplicateOf } from './denial.ts'
import { dialNamed } from './named.ts'
import type { Roster } from './roster.ts'

export interface ReachParts {
  readonly host: Host
  readonly resolver: Resolver
  readonly clock: Clock
  readonly roster: Roster
  /** Ends it with its reason. */
  readonly signal: AbortSignal
}

/** Before each further dial. Together more than the round trips of a handshake, on a busy machine too. */
const PAUSES_MS = [100, 300, 900]

/** Resolves when the handshake is done. @throws FloodgateError ADDRESS, DIAL, TIMEOUT, DENIED */
export async function reach(address: Address, parts: ReachParts): Promise<PeerId> {
  const { roster, clock, signal } = parts
  for (const pauseMs of [...PAUSES_MS, undefined]) {
    const peer = await dial(address, parts)
    roster.ask(peer)
    const member = roster.get(peer)
    if (await roster.greeted(peer)) return peer
    const reason = member?.leaving
    if (reason !== undefined) throw refused(address, DROP_REASONS[reason])
    if (pauseMs !== undefined) await pause(clock, pauseMs, signal)
  }
  throw refused(address, 'it closed the connection')
}

/** A peer that is connected by another way is reached as well. */
async function dial(address: Address, parts: ReachParts): Promise<PeerId> {
  try {
    return await dialNamed(address, parts, parts.signal)
  } catch (error) {
    const peer = duplicateOf(error)
    if (peer === undefined) throw error
    return peer
  }
}

/** Resolves after a time, or when the signal ends it. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stop = clock.every(ms, resolve)
  const end = (): void => resolve()
  signal.addEventListener('abort', end, { once: true })
  return promise.finally(() => {
    stop()
    signal.removeEventListener('abort', end)
  })
}

function refused(address: Address, reason: string): FloodgateError {
  return new FloodgateError('DENIED', `no handshake with ${address}: ${reason}`)
}
