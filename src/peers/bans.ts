/**
 * Bans: a pure machine that knows who may not connect, because a person said so.
 *
 * Rules:
 * - A ban is for an IP address, a CIDR range or a peer id (`ban-target.ts`), has a reason and ends by itself, after a day
 *   unless said otherwise. Banning the same target again replaces the ban.
 * - `unban` takes back exactly what was banned: an address is not cut out of a range, as in Bitcoin Core.
 * - At most `BANS_MAX`; one more is refused, since to forget another one would let somebody in unasked.
 *
 * Every socket asks here first, so a question must cost microseconds whatever the number of bans: one look into a hash
 * map for each prefix length that occurs, of 33 and 129 at most. Bitcoin Core's list was once unbounded, and walked for
 * each address that it was told (disclosed in July 2024).
 */
import assert from 'node:assert/strict'
import { FloodgateError } from '../core/errors.ts'
import type { PeerId } from '../core/types.ts'
import {
  type AddressBytes,
  addressBytes,
  type BanTarget,
  parseTarget,
  prefixOf,
  TARGET_MAX_CHARS,
} from './ban-target.ts'
import type { BanInfo } from './view.ts'

export const BANS_MAX = 50_000

export const BAN_DEFAULT_MS = 86_400_000

/** A hundred years. JSON has no infinity, and records have bounds. */
export const BAN_LONGEST_MS = 100 * 365.25 * 86_400_000

export const REASON_MAX_CHARS = 200

export interface BanOptions {
  /** From 1 to `BAN_LONGEST_MS`. */
  readonly forMs?: number | undefined
  /** At most `REASON_MAX_CHARS`, without control characters. */
  readonly reason?: string | undefined
  /** Wall time. */
  readonly nowMs: number
}

/** The bans of addresses that are equally long. */
class Ranges {
  readonly #byPrefix = new Map<string, BanInfo>()
  /** How many bans have which prefix length. */
  readonly #counts = new Map<number, number>()
  /** Those that occur, the longest first. */
  #lengths: readonly number[] = []

  get size(): number {
    return this.#byPrefix.size
  }

  set(address: AddressBytes, bits: number, ban: BanInfo): void {
    const key = keyOf(address, bits)
    if (!this.#byPrefix.has(key)) this.#count(bits, 1)
    this.#byPrefix.set(key, ban)
  }

  delete(address: AddressBytes, bits: number): void {
    if (this.#byPrefix.delete(keyOf(address, bits))) this.#count(bits, -1)
  }

  /** The narrowest ban of the address that is not over. */
  match(address: AddressBytes, wallMs: number): BanInfo | undefined {
    for (const bits of this.#lengths) {
      const ban = this.#byPrefix.get(keyOf(address, bits))
      if (ban !== undefined && wallMs < ban.untilMs) return ban
    }
    return undefined
  }

  #count(bits: number, by: 1 | -1): void {
    const before = this.#counts.get(bits) ?? 0
    if (before + by === 0) this.#counts.delete(bits)
    else this.#counts.set(bits, before + by)
    if (before === 0 || before + by === 0) this.#lengths = [...this.#counts.keys()].sort((a, b) => b - a)
  }

  check(): void {
    const counts = new Map<number, number>()
    for (const key of this.#byPrefix.keys())
      counts.set(key.charCodeAt(0), (counts.get(key.charCodeAt(0)) ?? 0) + 1)
    assert.deepEqual(this.#counts, counts)
    assert.deepEqual(
      this.#lengths.toSorted((a, b) => a - b),
      [...counts.keys()].sort((a, b) => a - b),
    )
  }
}

export class Bans {
  readonly #byTarget = new Map<string, BanInfo>()
  readonly #ipv4 = new Ranges()
  readonly #ipv6 = new Ranges()

  /** How many are remembered, with those that are over and not swept yet. */
  get size(): number {
    return this.#byTarget.size
  }

  /** @throws FloodgateError ARGUMENT for a text that is no target, a bad time or reason, or when there are too many */
  ban(text: string, { forMs = BAN_DEFAULT_MS, reason = '', nowMs }: BanOptions): BanInfo {
    const target = targetOf(text)
    if (!(forMs >= 1 && forMs <= BAN_LONGEST_MS)) {
      throw new FloodgateError('ARGUMENT', `a ban lasts from 1 ms to 100 years, not ${forMs} ms`)
    }
    if (!isReason(reason)) {
      const most = `${REASON_MAX_CHARS} characters`
      throw new FloodgateError(
        'ARGUMENT',
        `the reason of a ban has at most ${most}, none a control character`,
      )
    }
    const isNew = !this.#byTarget.has(target.text)
    if (isNew && this.size >= BANS_MAX) {
      throw new FloodgateError(
        'ARGUMENT',
        `there are ${BANS_MAX} bans already: lift some, or ban ranges instead`,
      )
    }
    const sinceMs = Math.floor(nowMs)
    return this.#put(target, { sinceMs, untilMs: sinceMs + Math.ceil(forMs), reason })
  }

  /** Puts back what `ban` returned in an earlier run. False when there is no room. */
  restore({ target: text, sinceMs, untilMs, reason }: BanInfo): boolean {
    const target = targetOf(text)
    if (this.size >= BANS_MAX && !this.#byTarget.has(target.text)) return false
    this.#put(target, { sinceMs, untilMs, reason })
    return true
  }

  /**
   * Whether there was such a ban: exactly this target, in any spelling.
   * @throws FloodgateError ARGUMENT for a text that is no target
   */
  unban(text: string): boolean {
    const target = targetOf(text)
    if (target.kind !== 'peer') this.#rangesOf(target.address).delete(target.address, target.bits)
    return this.#byTarget.delete(target.text)
  }

  /** A ban that holds for a peer or an address; what is undefined, or no IP address, is not banned. */
  match(ip: string | undefined, peer: PeerId | undefined, wallMs: number): BanInfo | undefined {
    const byPeer = peer === undefined ? undefined : this.#byTarget.get(peer)
    if (byPeer?.kind === 'peer' && wallMs < byPeer.untilMs) return byPeer
    if (ip === undefined || this.#ipv4.size + this.#ipv6.size === 0) return undefined
    const address = addressBytes(ip)
    return address === undefined ? undefined : this.#rangesOf(address).match(address, wallMs)
  }

  /** The bans that hold, the oldest first. */
  list(wallMs: number): BanInfo[] {
    const live = [...this.#byTarget.values()].filter(ban => wallMs < ban.untilMs)
    return live.sort((a, b) => a.sinceMs - b.sinceMs)
  }

  /** Forgets those that are over, and returns them. */
  sweep(wallMs: number): BanInfo[] {
    const over = [...this.#byTarget.values()].filter(ban => wallMs >= ban.untilMs)
    for (const { target } of over) this.unban(target)
    return over
  }

  #put(target: BanTarget, { sinceMs, untilMs, reason }: Omit<BanInfo, 'target' | 'kind'>): BanInfo {
    const ban = { target: target.text, kind: target.kind, sinceMs, untilMs, reason }
    // Put in anew: of bans of one moment, the list shows the last one last.
    this.#byTarget.delete(ban.target)
    this.#byTarget.set(ban.target, ban)
    if (target.kind !== 'peer') this.#rangesOf(target.address).set(target.address, target.bits, ban)
    return ban
  }

  #rangesOf(address: AddressBytes): Ranges {
    return address.length === 4 ? this.#ipv4 : this.#ipv6
  }

  check(): void {
    const bans = [...this.#byTarget]
    assert.ok(bans.length <= BANS_MAX)
    assert.equal(this.#ipv4.size + this.#ipv6.size, bans.filter(([, { kind }]) => kind !== 'peer').length)
    for (const [key, { target, kind, sinceMs, untilMs }] of bans) {
      const parsed = parseTarget(key)
      assert.ok(key === target && parsed?.text === target && parsed.kind === kind && sinceMs < untilMs)
    }
    this.#ipv4.check()
    this.#ipv6.check()
  }
}

/** Whether a text may be the reason of a ban: it is shown in terminals, and kept on the disk. */
export function isReason(text: string): boolean {
  return text.length <= REASON_MAX_CHARS && text.isWellFormed() && !/\p{Cc}/u.test(text)
}

function targetOf(text: string): BanTarget {
  const target = parseTarget(text)
  if (target !== undefined) return target
  const shown = JSON.stringify(text.slice(0, TARGET_MAX_CHARS))
  throw new FloodgateError('ARGUMENT', `${shown} is no IP address, no CIDR range and no peer id`)
}

function keyOf(address: AddressBytes, bits: number): string {
  return String.fromCharCode(bits) + prefixOf(address, bits)
}
