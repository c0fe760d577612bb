/**
 * Why our own doorman has refused somebody whom we dialled: what is behind a `DENIED` of `Host.dial`.
 */
import type { DropReason } from '../core/drops.ts'
import { FloodgateError } from '../core/errors.ts'
import type { PeerId } from '../core/types.ts'

export interface Denial {
  readonly reason: DropReason
  /** Who is there, where that is known. */
  readonly peer?: PeerId | undefined
}

/** Undefined when the dial failed in the network. */
export function denialOf(error: unknown): Denial | undefined {
  if (!(error instanceof FloodgateError) || error.code !== 'DENIED') return undefined
  return error.cause as Denial
}

/** The peer that was reached, and is connected by another way already, or about to be. */
export function duplicateOf(error: unknown): PeerId | undefined {
  const denial = denialOf(error)
  return denial?.reason === 'duplicate' ? denial.peer : undefined
}
