/**
 * What bans cost on the way in: the time of one question to a long list, and of all that is asked about a new connection.
 * No sockets: they would cost a thousand times as much, and hide it.
 *
 * Questions are timed one by one, each another address or peer, so a figure holds one reading of the clock (`clock` in the
 * table) and what the caches of the processor have forgotten since.
 */
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { toString as asText } from 'uint8arrays/to-string'
import { Random } from '../src/core/random.ts'
import { Admission } from '../src/peers/admission.ts'
import { BANS_MAX, Bans } from '../src/peers/bans.ts'
import { type Benchmark, UsageError } from './support/benchmark.ts'
import { formatTable } from './support/figures.ts'

const USAGE = `--bans N           addresses, ranges and peer ids, a third each (20000)
--questions N      how many of each kind are timed (100000)
--seed TEXT        who is banned and who asks (bans)`

const NOW_MS = 1_800_000_000_000

interface Options {
  readonly bans: number
  readonly questions: number
  readonly seed: string
}

/** Somebody who connects. */
interface Caller {
  readonly ip: string
  readonly peer: string
}

function parse(args: string[]): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { bans: text, questions: text, seed: text } })
  const whole = (name: string, given: string, most: number): number => {
    const value = Number(given)
    if (Number.isInteger(value) && value >= 1 && value <= most) return value
    throw new UsageError(`--${name} takes whole numbers from 1 to ${most}, not ${given}`)
  }
  return {
    bans: whole('bans', values.bans ?? '20000', BANS_MAX),
    questions: whole('questions', values.questions ?? '100000', 10_000_000),
    seed: values.seed ?? 'bans',
  }
}

function randomIp(random: Random, version: 4 | 6): string {
  if (version === 4)
    return `${1 + random.below(223)}.${random.below(256)}.${random.below(256)}.${random.below(256)}`
  const parts = Array.from({ length: 7 }, () => random.below(65_536).toString(16))
  return `2${random.below(4_096).toString(16).padStart(3, '0')}:${parts.join(':')}`
}

/** An Ed25519 peer id: an identity multihash, of bytes that need not be a key. */
function randomPeer(random: Random): string {
  const key = new Uint8Array(32)
  random.fill(key)
  return asText(Uint8Array.of(0, 36, 8, 1, 18, 32, ...key), 'base58btc')
}

/** Ranges have every length that operators use, since each length that occurs costs a look. */
function randomRange(random: Random, version: 4 | 6): string {
  const bits = version === 4 ? 16 + random.below(16) : 24 + random.below(104)
  return `${randomIp(random, version)}/${bits}`
}

function fill(bans: Bans, count: number, random: Random): void {
  while (bans.size < count) {
    const version = random.below(2) === 0 ? 4 : 6
    const kinds = [randomIp, randomRange, randomPeer]
    const target = kinds[bans.size % 3]?.(random, version) ?? ''
    bans.ban(target, { nowMs: NOW_MS })
  }
}

/** Callers of whom nobody is banned, or everybody by address. */
function callers(
  bans: Bans,
  { questions }: Options,
  random: Random,
  version: 4 | 6,
  isBanned: boolean,
): Caller[] {
  const banned = bans
    .list(NOW_MS)
    .filter(({ kind, target }) => kind === 'ip' && target.includes(':') === (version === 6))
  const list: Caller[] = []
  while (list.length < questions) {
    const ip = isBanned ? (banned[random.below(banned.length)]?.target ?? '') : randomIp(random, version)
    const peer = randomPeer(random)
    if ((bans.match(ip, peer, NOW_MS) !== undefined) === isBanned) list.push({ ip, peer })
  }
  return list
}

interface Figure {
  readonly what: string
  readonly medianUs: number
  readonly p99Us: number
  readonly worstUs: number
}

/** @param act takes a caller, and says whether it was let in; each must be as the others */
function time(
  what: string,
  list: readonly Caller[],
  isLetIn: boolean,
  act: (caller: Caller) => boolean,
): Figure {
  const elapsed = new Float64Array(list.length)
  // Twice: the first time the functions are compiled.
  for (let round = 0; round < 2; round++) {
    for (const [index, caller] of list.entries()) {
      const since = process.hrtime.bigint()
      const answer = act(caller)
      elapsed[index] = Number(process.hrtime.bigint() - since) / 1_000
      if (answer !== isLetIn) throw new Error(`${what}: ${caller.ip} got the wrong answer`)
    }
  }
  elapsed.sort()
  const at = (share: number): number => elapsed[Math.floor(share * (elapsed.length - 1))] ?? 0
  return { what, medianUs: at(0.5), p99Us: at(0.99), worstUs: at(1) }
}

/** All that is asked about a connection that comes, opens and goes. */
function acceptPath(bans: Bans): (caller: Caller) => boolean {
  const admission = new Admission({
    pendingPerIp: 2,
    pendingMax: 128,
    connectionsPerIp: 3,
    connectionsPerGroup: 8,
    groupRules: 'all',
  })
  let sockets = 0
  return ({ ip, peer }) => {
    const socket = sockets++
    if (bans.match(ip, undefined, NOW_MS) !== undefined) return false
    if (admission.accept(socket, ip) !== undefined) return false
    const isBanned = bans.match(ip, peer, NOW_MS) !== undefined
    if (!isBanned) admission.opened(socket)
    admission.closed(socket)
    return !isBanned
  }
}

async function run(args: string[]): Promise<unknown> {
  const options = parse(args)
  const random = new Random(options.seed)
  const bans = new Bans()
  fill(bans, options.bans, random)
  const strangers = {
    4: callers(bans, options, random, 4, false),
    6: callers(bans, options, random, 6, false),
  }
  const banned = { 4: callers(bans, options, random, 4, true), 6: callers(bans, options, random, 6, true) }
  const ask = ({ ip, peer }: Caller): boolean => bans.match(ip, peer, NOW_MS) === undefined
  const askPeer = ({ peer }: Caller): boolean => bans.match(undefined, peer, NOW_MS) === undefined
  const figures = [
    time('clock', strangers[4], true, () => true),
    time('a peer that is not banned', strangers[4], true, askPeer),
    time('IPv4, not banned', strangers[4], true, ask),
    time('IPv4, banned', banned[4], false, ask),
    time('IPv6, not banned', strangers[6], true, ask),
    time('IPv6, banned', banned[6], false, ask),
    time('accept path, IPv4', strangers[4], true, acceptPath(bans)),
    time('accept path, IPv6', strangers[6], true, acceptPath(bans)),
  ]
  const rows = figures.map(({ what, medianUs, p99Us, worstUs }) => [
    what,
    ...[medianUs, p99Us, worstUs].map(value => value.toFixed(2)),
  ])
  console.log(`${formatTable([`${bans.size} bans`, 'median µs', 'p99 µs', 'worst µs'], rows)}\n`)
  // On a busy machine, who is interrupted waits for milliseconds: that is in the worst figures, and soon in the p99.
  const load = loadavg().map(value => value.toFixed(2))
  console.log(`load average: ${load.join(' ')}`)
  return { options, load, figures }
}

export const benchmark: Benchmark = {
  summary: 'the time of a question to a list of bans, and of all that is asked about a new connection',
  usage: USAGE,
  run,
}
