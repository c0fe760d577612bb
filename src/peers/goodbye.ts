/**
 * The goodbye: why a node closes a connection, told on `/floodgate/<network>/goodbye/1` before it does.
 *
 * One frame with a number, no answer. Whoever is told need not believe it: a goodbye only says when it makes sense to
 * come again, and a liar keeps us from nobody but itself. A connection that closes without one is as good.
 */
import type { DropReason } from '../core/drops.ts'
import type { ProtocolLimits } from '../core/ports.ts'
import { type Decoded, message, uint } from '../core/wire.ts'

/** The number of each reason. Numbers are never changed and never used again; 0 stands for all that have none. */
export const GOODBYE_CODES = {
  asked: 1,
  stopping: 2,
  banned: 3,
  score: 4,
  discouraged: 5,
  network: 6,
  version: 7,
  self: 8,
  handshake: 9,
  plain: 10,
  duplicate: 11,
  replaced: 12,
  'ip-limit': 13,
  'group-limit': 14,
  full: 16,
  evicted: 17,
  feeler: 18,
  rotated: 19,
  surplus: 20,
  hint: 21,
  silent: 22,
} as const satisfies Record<DropReason, number>

/** A goodbye must not hold up what it announces. */
export const GOODBYE_LIMITS: ProtocolLimits = { frameMaxBytes: 64, timeoutMs: 1_000 }

const RETRY_LATER_MS = 600_000

/** Whoever says these would only say them again: it has no room for us, or does not want us. */
const RETRY_LATER: ReadonlySet<DropReason | 'unknown'> = new Set<DropReason>([
  'asked',
  'full',
  'evicted',
  'ip-limit',
  'group-limit',
  'banned',
  'discouraged',
  'score',
])

const GOODBYE = message({ code: uint(1, { max: 2 ** 31 - 1 }) }, GOODBYE_LIMITS.frameMaxBytes)

const REASONS = new Map<number, DropReason>(
  Object.entries(GOODBYE_CODES).map(([reason, code]) => [code, reason as DropReason]),
)

/** The protocol id. */
export function goodbyeProtocol(network: string): string {
  return `/floodgate/${network}/goodbye/1`
}

/** The frame that tells a reason. */
export function goodbyeOf(reason: DropReason): Uint8Array {
  return GOODBYE.encode({ code: GOODBYE_CODES[reason] })
}

/** The reason in a frame; `unknown` for a number of a later version. */
export function readGoodbye(frame: Uint8Array): Decoded<DropReason | 'unknown'> {
  const decoded = GOODBYE.decode(frame)
  if (decoded.problem !== undefined) return decoded
  return { value: REASONS.get(decoded.value.code) ?? 'unknown' }
}

/**
 * For how long the endpoint of whoever said goodbye is better not dialled: ten minutes where it has no room for us, 0
 * where nothing is held against it (it stops, it only tried our address, it gave its place to somebody else).
 */
export function retryAfterMs(reason: DropReason | 'unknown'): number {
  return RETRY_LATER.has(reason) ? RETRY_LATER_MS : 0
}
