/**
 * A node for the control API to serve: what it says is set by the test, and what it was asked can be looked up.
 */
import { type Control, type ControlLimits, serveControl } from '../../../src/api/server.ts'
import type { ServedNode } from '../../../src/api/service.ts'
import { FloodgateError } from '../../../src/core/errors.ts'
import type { AddressInfo, AddressStats, BanInfo, PeerInfo } from '../../../src/peers/view.ts'

export const PEER = '12D3KooWGrUQLnCKrKzqwBvcmxGW1tVQyJhmMsPvqDLyEZCqNPzN'
export const OTHER_PEER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'
export const NOW_MS = Date.UTC(2026, 10, 20, 12)

export const DAY_MS = 86_400_000

export function peerInfo(given: Partial<PeerInfo> = {}): PeerInfo {
  return {
    peer: OTHER_PEER,
    address: `/ip4/203.0.113.7/tcp/9000/p2p/${OTHER_PEER}`,
    group: '4:203.0',
    direction: 'outbound',
    role: 'outbound',
    connectedAtMs: NOW_MS - 60_000,
    rttMs: 12,
    score: 0,
    agent: 'floodgate/0.1.0',
    handshake: 'done',
    ...given,
  }
}

export function addressInfo(given: Partial<AddressInfo> = {}): AddressInfo {
  return {
    endpoint: '198.51.100.1:9000',
    group: '4:198.51',
    peer: undefined,
    source: 'exchange',
    sourceGroup: '4:203.0',
    lastHeardMs: NOW_MS - 3_600_000,
    lastAttemptMs: 0,
    lastSuccessMs: 0,
    attempts: 0,
    isTried: false,
    ...given,
  }
}

export class FakeNode implements ServedNode {
  readonly peer = PEER
  readonly network = 'test'
  readonly asked: string[] = []
  connected: PeerInfo[] = []
  book: AddressInfo[] = []
  stats: AddressStats = {
    newAddresses: 0,
    triedAddresses: 0,
    newBuckets: new Array(1_024).fill(0),
    triedBuckets: new Array(256).fill(0),
    bySource: { dns: 0, bootstrap: 0, exchange: 0, hello: 0, dht: 0, manual: 0 },
  }
  /** What dialling does; it may wait for the signal. */
  dial: (address: string, signal: AbortSignal) => Promise<string> = async () => OTHER_PEER
  readonly #bans = new Map<string, BanInfo>()

  addresses(): string[] {
    return [`/ip4/127.0.0.1/tcp/9000/p2p/${PEER}`]
  }

  peers(): PeerInfo[] {
    return this.connected
  }

  async connect(
    address: string,
    { keep, signal }: { keep?: boolean; signal?: AbortSignal },
  ): Promise<string> {
    this.asked.push(`connect ${address}${keep === true ? ' and keep' : ''}`)
    return await this.dial(address, signal ?? new AbortController().signal)
  }

  async disconnect(peer: string): Promise<void> {
    this.asked.push(`disconnect ${peer}`)
    if (!this.connected.some(it => it.peer === peer)) throw new FloodgateError('NO_PEER', `no peer ${peer}`)
  }

  async ban(
    target: string,
    { forMs = DAY_MS, reason = '' }: { forMs?: number; reason?: string },
  ): Promise<BanInfo> {
    const kind = target.includes('/') ? 'cidr' : target.includes('.') ? 'ip' : 'peer'
    const sinceMs = Date.now()
    const ban: BanInfo = { target, kind, sinceMs, untilMs: sinceMs + forMs, reason }
    this.#bans.set(target, ban)
    return ban
  }

  async unban(target: string): Promise<boolean> {
    return this.#bans.delete(target)
  }

  bans(): BanInfo[] {
    return [...this.#bans.values()]
  }

  addressBook(): AddressInfo[] {
    return this.book
  }

  addressStats(): AddressStats {
    return this.stats
  }
}

/** The log lines of a server, each with its fields. */
export class FakeLog {
  readonly lines: [message: string, fields: Record<string, unknown> | undefined][] = []

  error(message: string, fields?: Record<string, unknown>): void {
    this.lines.push([message, fields])
  }
}

export async function serve(
  node: ServedNode,
  dataDir: string,
  { limits = {}, log = new FakeLog() }: { limits?: Partial<ControlLimits>; log?: FakeLog } = {},
): Promise<Control> {
  return await serveControl({ node, dataDir, version: '1.2.3', log, limits })
}
