/**
 * What the tests of the exchange share: a book of reached endpoints, and frames that no honest node sends.
 */
import { type Endpoint, groupOf } from '../../src/core/endpoint.ts'
import type { RandomSource } from '../../src/core/ports.ts'
import { Random } from '../../src/core/random.ts'
import { bytes, type Decoded, message, nested, repeated, uint } from '../../src/core/wire.ts'
import type { ExchangeAction, ExchangeParts } from '../../src/peers/exchange.ts'
import { type Answer, readAnswer } from '../../src/peers/exchange-message.ts'
import type { AddressInfo } from '../../src/peers/view.ts'

/** The wall clock when the monotonic one is at 0: a time that is no multiple of ten minutes. */
export const WALL_MS = 1_700_000_123_456

export const DAY_MS = 86_400_000

/** An endpoint that was reached an hour before. */
export function reachedAt(
  endpoint: Endpoint,
  peer: string,
  lastSuccessMs = WALL_MS - 3_600_000,
): AddressInfo {
  return {
    endpoint,
    group: groupOf(endpoint),
    peer,
    source: 'dns',
    sourceGroup: 'seed',
    lastHeardMs: lastSuccessMs,
    lastAttemptMs: lastSuccessMs,
    lastSuccessMs,
    attempts: 0,
    isTried: true,
  }
}

/** So many endpoints, each in a group of its own, `60.0.0.1:9000` of peer `R0` and so on. */
export function manyReached(count: number): AddressInfo[] {
  return Array.from({ length: count }, (_, index) =>
    reachedAt(`${60 + (index >> 8)}.${index & 255}.0.1:9000`, `R${index}`),
  )
}

/** A world for an exchange, whose contents a test may change at any time. */
export class Book implements ExchangeParts {
  readonly groupRules: 'all' | 'routable'
  readonly random: RandomSource
  entries: AddressInfo[]
  readonly banned = new Set<Endpoint>()
  readonly ours = new Set<Endpoint>()
  /** How often it was looked through. */
  looks = 0

  constructor(entries: AddressInfo[] = [], groupRules: 'all' | 'routable' = 'all', seed = 'book') {
    this.entries = entries
    this.groupRules = groupRules
    const random = new Random(seed)
    this.random = () => random.fraction()
  }

  readonly reached = (sinceMs: number): AddressInfo[] => {
    this.looks++
    return this.entries.filter(entry => entry.lastSuccessMs >= sinceMs)
  }
  readonly mayTell = (endpoint: Endpoint): boolean => !this.banned.has(endpoint)
  readonly isOurs = (endpoint: Endpoint): boolean => this.ours.has(endpoint)
}

/** The fields of an answer with no limits worth the name. */
export const LOOSE_ANSWER = message(
  {
    entries: repeated(
      nested(
        2,
        message({
          ip: bytes(1, { maxBytes: 64 }),
          port: uint(2, { max: 100_000 }),
          lastSuccessS: uint(3, { max: Number.MAX_SAFE_INTEGER }),
        }),
      ),
      { max: 5_000 },
    ),
    retryAfterS: uint(3, { max: Number.MAX_SAFE_INTEGER }),
  },
  1_000_000,
)

export interface Entry {
  readonly ip: Uint8Array
  readonly port: number
  readonly lastSuccessS: number
}

/** So many good entries, all different. */
export function entries(count: number, lastSuccessS = WALL_MS / 1_000 - 3_600): Entry[] {
  return Array.from({ length: count }, (_, index) => ({
    ip: Uint8Array.of(70 + (index >> 8), index & 255, 0, 1),
    port: 9_000,
    lastSuccessS: Math.floor(lastSuccessS),
  }))
}

export function frameOf(list: readonly Entry[], retryAfterS = 600): Uint8Array {
  return LOOSE_ANSWER.encode({ entries: list, retryAfterS })
}

/** What the only reply among actions says. */
export function replied(actions: readonly ExchangeAction[]): Answer | undefined {
  const [reply] = actions.filter(action => action.type === 'reply')
  const decoded: Decoded<Answer> | undefined = reply === undefined ? undefined : readAnswer(reply.frame)
  return decoded?.value
}

/** An action in a word or two. */
export function briefly(action: ExchangeAction): string {
  switch (action.type) {
    case 'ask':
      return `ask ${action.peer}`
    case 'reply': {
      const { told, retryAfterS } = replied([action]) ?? { told: [], retryAfterS: -1 }
      return `reply ${action.peer} ${told.length} ${retryAfterS}`
    }
    case 'learn':
      return `learn ${action.peer} ${action.heard.length}`
    case 'offence':
      return `${action.offence} ${action.peer}`
  }
}
