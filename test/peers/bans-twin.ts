/** The naive twin of `Bans`: a list, and for each question Node's own `BlockList` for each ban of it. */
import assert from 'node:assert/strict'
import { BlockList, isIPv6 } from 'node:net'
import type { BanInfo } from '../../src/peers/view.ts'

export class BansTwin {
  #bans: BanInfo[] = []

  get size(): number {
    return this.#bans.length
  }

  /** @param target canonical */
  ban(target: string, kind: BanInfo['kind'], forMs: number, nowMs: number): BanInfo {
    const ban = { target, kind, sinceMs: nowMs, untilMs: nowMs + forMs, reason: '' }
    this.unban(target)
    this.#bans.push(ban)
    return ban
  }

  unban(target: string): boolean {
    const before = this.#bans.length
    this.#bans = this.#bans.filter(ban => ban.target !== target)
    return this.#bans.length < before
  }

  /** The ban of the peer, or else the narrowest one that holds the address. */
  match(ip: string | undefined, peer: string | undefined, wallMs: number): BanInfo | undefined {
    const live = this.list(wallMs)
    const byPeer = live.find(ban => ban.kind === 'peer' && ban.target === peer)
    if (byPeer !== undefined || ip === undefined) return byPeer
    return live
      .filter(ban => ban.kind !== 'peer' && holds(ban.target, ip))
      .sort((a, b) => bitsOf(b) - bitsOf(a))[0]
  }

  list(wallMs: number): BanInfo[] {
    return this.#bans.filter(ban => ban.untilMs > wallMs)
  }

  sweep(wallMs: number): BanInfo[] {
    const over = this.#bans.filter(ban => ban.untilMs <= wallMs)
    this.#bans = this.list(wallMs)
    return over
  }
}

function familyOf(ip: string): 'ipv4' | 'ipv6' {
  return isIPv6(ip) ? 'ipv6' : 'ipv4'
}

function holds(target: string, ip: string): boolean {
  const [first = '', bits] = target.split('/')
  // A `BlockList` looks at IPv4 in IPv6 from both sides; a range of IPv6 addresses holds none of IPv4 for us.
  if (familyOf(first) !== familyOf(ip)) return false
  const list = new BlockList()
  if (bits === undefined) list.addAddress(first, familyOf(first))
  else list.addSubnet(first, Number(bits), familyOf(first))
  return list.check(ip, familyOf(ip))
}

function bitsOf({ target }: BanInfo): number {
  const bits = target.split('/')[1]
  assert.ok(bits === undefined || /^\d+$/.test(bits))
  return bits === undefined ? 128 : Number(bits)
}
