/**
 * DNS seeds: names that lead to endpoints of nodes.
 *
 * - `/dnsaddr/NAME`: TXT records `dnsaddr=<multiaddr>` at `_dnsaddr.NAME`, as in libp2p's dnsaddr specification. A record
 *   may lead to further names.
 * - `/dns/NAME/tcp/PORT`, `/dns4/…`, `/dns6/…`, `NAME:PORT`: the A and AAAA records of a name, with a port.
 *
 * Rules:
 * - A seed is not trusted. Depth, questions and endpoints are bounded, no name is asked twice, and what is not
 *   understood is skipped: a seed can neither keep this node busy nor have it ask the DNS on its behalf.
 * - A name further down that does not answer costs its own records only.
 * - Peer ids in records are not kept: who is at an endpoint is found out there.
 */
import { type Endpoint, endpointFrom, endpointOf } from '../core/endpoint.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Resolver } from '../core/ports.ts'
import { parseSeed, type Seed } from '../core/seed.ts'

export interface SeedLimits {
  /** How many endpoints one seed may name in all. */
  readonly endpointsMax: number
  /** How many names may stand behind each other. */
  readonly depthMax: number
  /** How many names one seed may have us ask. */
  readonly questionsMax: number
}

export const SEED_LIMITS: SeedLimits = { endpointsMax: 32, depthMax: 3, questionsMax: 16 }

/** What a record says before its multiaddr. */
const RECORD = /^dnsaddr=(\/.+)$/

/**
 * Asks a seed. The names of one depth are asked at once, so that it takes `depthMax` deadlines of the resolver at most.
 * @returns endpoints in the order in which they were found, each once
 * @throws FloodgateError CONFIG for a text that is no seed; DIAL, TIMEOUT when the seed itself does not answer
 */
export async function resolveSeed(
  text: string,
  resolver: Resolver,
  limits: SeedLimits = SEED_LIMITS,
): Promise<Endpoint[]> {
  const seed = parseSeed(text)
  if (seed === undefined) throw new FloodgateError('CONFIG', `${JSON.stringify(text)} is no DNS seed`)
  const found = new Set<Endpoint>()
  const asked = new Set<string>([keyOf(seed)])
  let level = [seed]
  for (let depth = 1; depth <= limits.depthMax && level.length > 0; depth++) {
    const answers = await Promise.allSettled(level.map(it => ask(it, resolver)))
    const [first] = answers
    if (depth === 1 && first?.status === 'rejected') throw first.reason
    level = []
    for (const answer of answers.flatMap(it => (it.status === 'fulfilled' ? it.value : []))) {
      if (typeof answer === 'string') {
        if (found.size < limits.endpointsMax) found.add(answer)
      } else if (asked.size < limits.questionsMax && !asked.has(keyOf(answer))) {
        asked.add(keyOf(answer))
        level.push(answer)
      }
    }
  }
  return [...found]
}

/** What a name answers: endpoints, and further names. */
async function ask(seed: Seed, resolver: Resolver): Promise<(Endpoint | Seed)[]> {
  if (seed.kind === 'name') {
    const ips = await resolver.ips(seed.name)
    return ips
      .filter(ip => seed.family === undefined || (seed.family === 6) === ip.includes(':'))
      .flatMap(ip => endpointFrom(ip, seed.port) ?? [])
  }
  const records = await resolver.txt(`_dnsaddr.${seed.name}`)
  return records.flatMap(record => {
    const address = RECORD.exec(record)?.[1] ?? ''
    return endpointOf(address) ?? parseSeed(address) ?? []
  })
}

function keyOf(seed: Seed): string {
  return seed.kind === 'dnsaddr' ? seed.name : `${seed.name}:${seed.port}/${seed.family ?? ''}`
}
