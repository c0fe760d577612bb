/**
 * The `Resolver` port on Node's resolver (c-ares), which asks DNS servers directly: the system's, or those given.
 *
 * Rules:
 * - Every question has a deadline, whatever the server does; a late answer is thrown away.
 * - What an answer may hold is capped in number and size: a seed is not trusted. Nothing else of it is judged here.
 * - A name that does not exist, or has no such records, is an empty answer.
 *
 * Why not `dns.lookup` for all: it has no deadline, takes a thread of the pool while it waits, and knows no TXT records.
 * It is for names that the user gave, since it alone looks into the hosts file.
 */
import { lookup, Resolver as NodeResolver } from 'node:dns/promises'
import { FloodgateError } from '../core/errors.ts'
import type { Resolver } from '../core/ports.ts'

export interface ResolverOptions {
  /** `ADDRESS` or `ADDRESS:PORT`, with IPv6 addresses in brackets before a port; empty: those of the system. */
  readonly servers?: readonly string[]
  /** For a question with all its tries. */
  readonly timeoutMs?: number
  /** Records taken of an answer; the others are not looked at. */
  readonly answersMax?: number
}

const TIMEOUT_MS = 5_000
const ANSWERS_MAX = 32

/** A longer TXT record is none of ours: a multiaddr with a peer id is some 100 bytes. */
const RECORD_MAX_BYTES = 1_024

/** The second try is for a packet that was lost. */
const TRIES = 2

/** What c-ares calls a name that is not there, or has no records of this type. */
const EMPTY = new Set(['ENOTFOUND', 'ENODATA'])

/** What it calls a server that did not answer in its time, and a question that was given up at our deadline. */
const LATE = new Set(['ETIMEOUT', 'ECANCELLED'])

/** @throws FloodgateError CONFIG for a server that is none */
export function systemResolver({
  servers = [],
  timeoutMs = TIMEOUT_MS,
  answersMax = ANSWERS_MAX,
}: ResolverOptions = {}): Resolver {
  const ask: Ask = (name, question) => askInTime(newResolver(servers, timeoutMs), timeoutMs, name, question)
  newResolver(servers, timeoutMs)
  return {
    async txt(name) {
      const records = await ask(name, resolver => resolver.resolveTxt(name))
      return records
        .slice(0, answersMax)
        .map(parts => parts.join(''))
        .filter(text => Buffer.byteLength(text) <= RECORD_MAX_BYTES)
    },
    async ips(name) {
      const answers = await Promise.allSettled([
        ask(name, resolver => resolver.resolve4(name)),
        ask(name, resolver => resolver.resolve6(name)),
      ])
      const [failed] = answers.filter(answer => answer.status === 'rejected')
      const found = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
      // One kind of address is enough: some servers never answer for the other.
      if (found.length === 0 && failed !== undefined) throw failed.reason
      return found.slice(0, answersMax)
    },
    async lookup(name) {
      const late = new Promise<[]>(resolve => setTimeout(resolve, timeoutMs, []).unref())
      const found = await Promise.race([lookup(name, { all: true }).catch(() => []), late])
      return found.map(({ address }) => address).slice(0, answersMax)
    },
  }
}

type Ask = <T>(name: string, question: (resolver: NodeResolver) => Promise<T[]>) => Promise<T[]>

/** One for each question, since giving up one question gives up all that its resolver has asked. */
function newResolver(servers: readonly string[], timeoutMs: number): NodeResolver {
  const resolver = new NodeResolver({ timeout: Math.ceil(timeoutMs / TRIES), tries: TRIES })
  try {
    if (servers.length > 0) resolver.setServers(servers)
  } catch (cause) {
    const text = `DNS servers ${servers.join(', ')}: expected addresses such as 192.0.2.53 or 192.0.2.53:53`
    throw new FloodgateError('CONFIG', text, { cause })
  }
  return resolver
}

async function askInTime<T>(
  resolver: NodeResolver,
  timeoutMs: number,
  name: string,
  question: (resolver: NodeResolver) => Promise<T[]>,
): Promise<T[]> {
  const timer = setTimeout(() => resolver.cancel(), timeoutMs)
  try {
    return await question(resolver)
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    if (EMPTY.has(code)) return []
    if (LATE.has(code)) throw new FloodgateError('TIMEOUT', `DNS ${name}: no answer in time`, { cause })
    throw new FloodgateError('DIAL', `DNS ${name}: ${message}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}
