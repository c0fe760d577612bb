/**
 * Seeds: where addresses come from when the book has no more: DNS seeds, then the Kademlia walk, then the bootstrap
 * list.
 *
 * Rules:
 * - They take turns: DNS first, then a walk, then the bootstrap list, which belongs to everyone; a question goes on to the
 *   next one until one gives something new. Who seeks again gets the one after that: a seed that always names something
 *   new must not keep the others from being asked.
 * - Three seeds are asked at a time, in random order, and what one may answer is capped (`dns-seeds.ts`): a seed that
 *   lies must not fill the book alone. Its answers share one source group there.
 * - A dead name costs its deadline and a log line. Nothing here holds up a start.
 */
import { type Endpoint, endpointOf } from '../core/endpoint.ts'
import type { Clock, Counter, Log, Metrics, RandomSource, Resolver } from '../core/ports.ts'
import { isSeed } from '../core/seed.ts'
import type { Address } from '../core/types.ts'
import { resolveSeed } from './dns-seeds.ts'
import type { Source } from './view.ts'

export interface SeedsOptions {
  readonly dnsSeeds: readonly string[]
  readonly bootstrap: readonly Address[]
}

export interface SeedsParts {
  readonly resolver: Resolver
  /** One random Kademlia walk; absent where the node takes no part. */
  readonly walk?: (() => Promise<Address[]>) | undefined
  /** What of the bootstrap list can be used. */
  readonly readBootstrap: (list: readonly Address[]) => Promise<Address[]>
  readonly clock: Clock
  readonly random: RandomSource
  readonly log: Log
  readonly metrics: Metrics
}

/** Takes addresses, and answers how many of them were new. `told` names who told them, for the book's source group. */
export type Learn = (endpoints: readonly Endpoint[], source: Source, told: string) => number

const SEEDS_AT_ONCE = 3

export class Seeds {
  readonly #options: SeedsOptions
  readonly #parts: SeedsParts
  readonly #learn: Learn
  readonly #asked: Counter<'source' | 'result'>
  /** Which source is next. */
  #stage = 0
  #isBusy = false
  #isStopped = false

  constructor(options: SeedsOptions, parts: SeedsParts, learn: Learn) {
    this.#options = options
    this.#parts = parts
    this.#learn = learn
    this.#asked = parts.metrics.counter(
      'floodgate_seeds_total',
      'Questions for addresses by source and result',
      ['source', 'result'],
    )
  }

  /** Asks the next source, and those after it until one gives something new. While that runs, further calls do nothing. */
  async seek(): Promise<void> {
    if (this.#isBusy || this.#isStopped) return
    this.#isBusy = true
    try {
      const stages = [() => this.#askDns(), () => this.#walk(), () => this.#askBootstrap()]
      for (let tries = 0; tries < stages.length && !this.#isStopped; tries++) {
        const stage = stages[this.#stage % stages.length]
        this.#stage++
        if (stage !== undefined && (await stage()) > 0) return
      }
    } finally {
      this.#isBusy = false
    }
  }

  stop(): void {
    this.#isStopped = true
  }

  async #askDns(): Promise<number> {
    const seeds = this.#sample(this.#options.dnsSeeds, SEEDS_AT_ONCE)
    const found = await Promise.all(seeds.map(seed => this.#resolve(seed, 'dns', `seed:${seed}`)))
    return found.reduce((sum, it) => sum + it, 0)
  }

  async #walk(): Promise<number> {
    const { walk, log } = this.#parts
    if (walk === undefined) return 0
    try {
      return this.#take(
        (await walk()).flatMap(address => endpointOf(address) ?? []),
        'dht',
        'dht',
      )
    } catch (error) {
      this.#asked.inc({ source: 'dht', result: 'failed' })
      log.debug('a Kademlia walk has failed', { reason: (error as Error).message })
      return 0
    }
  }

  async #askBootstrap(): Promise<number> {
    const { bootstrap } = this.#options
    if (bootstrap.length === 0) return 0
    const addresses = await this.#parts.readBootstrap(bootstrap)
    const direct = addresses.flatMap(address => endpointOf(address) ?? [])
    const names = addresses.filter(address => endpointOf(address) === undefined && isSeed(address))
    const found = await Promise.all(names.map(name => this.#resolve(name, 'bootstrap', 'bootstrap')))
    return found.reduce((sum, it) => sum + it, this.#take(direct, 'bootstrap', 'bootstrap'))
  }

  async #resolve(seed: string, source: Source, told: string): Promise<number> {
    try {
      return this.#take(await resolveSeed(seed, this.#parts.resolver), source, told)
    } catch (error) {
      this.#asked.inc({ source, result: 'failed' })
      this.#parts.log.warn('a seed did not answer', { seed, reason: (error as Error).message })
      return 0
    }
  }

  #take(endpoints: readonly Endpoint[], source: Source, told: string): number {
    if (this.#isStopped) return 0
    const learned = this.#learn(endpoints, source, told)
    this.#asked.inc({ source, result: learned > 0 ? 'new' : 'nothing' })
    return learned
  }

  #sample<T>(items: readonly T[], count: number): T[] {
    const rest = [...items]
    const taken: T[] = []
    while (taken.length < count && rest.length > 0) {
      taken.push(...rest.splice(Math.floor(this.#parts.random() * rest.length), 1))
    }
    return taken
  }
}
