/**
 * Which endpoints may be dialled and told of: not ours, not banned or discouraged, and not resting.
 *
 * An endpoint rests when whoever is there has said that it makes no sense to come again soon, or belongs to another
 * network. What is said later does not shorten that: a goodbye must not undo what we have found out. At most
 * `RESTING_MAX` rest; beyond it the one that was sent to rest first is forgotten, which costs a dial.
 */
import type { DropReason } from '../core/drops.ts'
import { type Endpoint, endpointOf, parseEndpoint } from '../core/endpoint.ts'
import type { Clock, Host } from '../core/ports.ts'
import type { Bans } from './bans.ts'
import type { Discouraged } from './discouraged.ts'
import { retryAfterMs } from './goodbye.ts'

export const RESTING_MAX = 4_096

/** What we have found out ourselves holds longer than what others say; but addresses change their nodes. */
const REST_MS = { network: 3_600_000, discouraged: 86_400_000 } satisfies Partial<Record<DropReason, number>>

/** Interfaces come and go, but not all the time; and the question comes for every address that is heard of. */
const OURS_MS = 1_000

export class Welcome {
  readonly #clock: Clock
  readonly #host: Host
  readonly #bans: Bans
  readonly #discouraged: Discouraged
  /** Until when; in the order in which they were sent to rest. */
  readonly #resting = new Map<Endpoint, number>()

  #ours: ReadonlySet<Endpoint> = new Set()
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, host: Host, bans: Bans, discouraged: Discouraged) {
    this.#clock = clock
    this.#host = host
    this.#bans = bans
    this.#discouraged = discouraged
  }

  /** May be dialled. */
  isWelcome(endpoint: Endpoint): boolean {
    return (this.#resting.get(endpoint) ?? 0) <= this.#clock.nowMs() && this.isTellable(endpoint)
  }

  /** Others may be told of it. */
  isTellable(endpoint: Endpoint): boolean {
    const ip = parseEndpoint(endpoint)?.ip
    return this.isUnbanned(endpoint) && !this.#discouraged.has(undefined, ip) && !this.isOurs(endpoint)
  }

  isUnbanned(endpoint: Endpoint): boolean {
    return this.#bans.match(parseEndpoint(endpoint)?.ip, undefined, this.#clock.wallMs()) === undefined
  }

  isOurs(endpoint: Endpoint): boolean {
    const nowMs = this.#clock.nowMs()
    if (nowMs - this.#lookedAtMs >= OURS_MS) {
      this.#lookedAtMs = nowMs
      this.#ours = new Set(this.#host.addresses().flatMap(address => endpointOf(address) ?? []))
    }
    return this.#ours.has(endpoint)
  }

  /** For as long as a reason of ours holds. */
  rest(endpoint: Endpoint, reason: keyof typeof REST_MS): void {
    this.#rest(endpoint, REST_MS[reason])
  }

  /** As whoever is there has said in its goodbye. */
  heed(endpoint: Endpoint, reason: DropReason | 'unknown'): void {
    this.#rest(endpoint, retryAfterMs(reason))
  }

  #rest(endpoint: Endpoint, forMs: number): void {
    if (forMs === 0) return
    const untilMs = this.#resting.get(endpoint) ?? 0
    this.#resting.delete(endpoint)
    const [first] = this.#resting.keys()
    if (this.#resting.size >= RESTING_MAX && first !== undefined) this.#resting.delete(first)
    this.#resting.set(endpoint, Math.max(untilMs, this.#clock.nowMs() + forMs))
  }
}
