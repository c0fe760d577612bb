/**
 * Dials of addresses that the user gave, which may hold a name: it is resolved here, so that bans, groups and limits see
 * the IP address that is dialled.
 */
import { addressOf, type Endpoint, endpointFrom, peerOf } from '../core/endpoint.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Host, Resolver } from '../core/ports.ts'
import { parseSeed, type Seed } from '../core/seed.ts'
import type { Address, PeerId } from '../core/types.ts'
import { denialOf } from './denial.ts'
import { resolveSeed } from './dns-seeds.ts'

export interface NamedParts {
  readonly host: Host
  readonly resolver: Resolver
}

/** Of the addresses that a name has, so many are tried, one after the other. */
const TRIES_MAX = 4

/** @throws FloodgateError ADDRESS, DIAL, TIMEOUT, DENIED */
export function dialNamed(address: Address, parts: NamedParts, signal: AbortSignal): Promise<PeerId> {
  const name = parseSeed(address)
  return name === undefined ? parts.host.dial(address, signal) : dialByName(address, name, parts, signal)
}

async function dialByName(
  address: Address,
  name: Seed,
  { host, resolver }: NamedParts,
  signal: AbortSignal,
): Promise<PeerId> {
  const endpoints = await endpointsOf(address, name, resolver)
  let failure: unknown = new FloodgateError('DIAL', `cannot reach ${address}: the name has no address`)
  for (const endpoint of endpoints.slice(0, TRIES_MAX)) {
    try {
      return await host.dial(addressOf(endpoint, peerOf(address)), signal)
    } catch (error) {
      // Whoever was refused was reached: another address of the same name would not change it.
      if (denialOf(error) !== undefined || signal.aborted) throw error
      failure = error
    }
  }
  throw failure
}

async function endpointsOf(address: Address, name: Seed, resolver: Resolver): Promise<Endpoint[]> {
  if (name.kind === 'dnsaddr') return await resolveSeed(address, resolver)
  const ips = await resolver.lookup(name.name)
  const wanted = ips.filter(ip => name.family === undefined || ip.includes(':') === (name.family === 6))
  return wanted.flatMap(ip => endpointFrom(ip, name.port) ?? [])
}
