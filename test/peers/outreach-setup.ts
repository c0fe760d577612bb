/**
 * What the tests of outreach share: outreach on fakes with a real book, and the part of the actor around it that says who
 * is connected. Every tick is one of the actor's.
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../../src/core/drops.ts'
import { addressOf, type Endpoint } from '../../src/core/endpoint.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import type { PeerId } from '../../src/core/types.ts'
import type { AddressBook } from '../../src/peers/address-book.ts'
import type { Anchor } from '../../src/peers/anchors.ts'
import type { OutboundOptions } from '../../src/peers/outbound.ts'
import { Outreach } from '../../src/peers/outreach.ts'
import { type Member, Roster } from '../../src/peers/roster.ts'
import { type FakeDial, FakeMetrics, settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'
import { connectionOf, StagedHost } from './actor-setup.ts'
import { heard, makeBook } from './book-setup.ts'

export const OPTIONS: OutboundOptions = {
  target: 3,
  anchors: 0,
  feelerPeriodMs: 120_000,
  rotationMinMs: 20_000,
  rotationMaxMs: 40_000,
  parallelDials: 2,
  groupRules: 'all',
  offlineMinMs: 1_000,
  offlineMaxMs: 60_000,
}

const TICK_MS = 100

/** What `OutboundCounts` has of results. */
const RESULTS = ['greeted', 'refused', 'failed'] as const

export interface OutreachWorld {
  readonly options?: Partial<OutboundOptions>
  readonly anchors?: readonly Anchor[]
  /** In the book from the start. */
  readonly known?: readonly Endpoint[]
}

export class OutreachStage {
  readonly clock = new VirtualClock()
  readonly host = new StagedHost()
  readonly roster = new Roster()
  readonly metrics = new FakeMetrics()
  readonly book: AddressBook
  /** What may not be dialled, or nothing at all. */
  unwelcome: (endpoint: Endpoint) => boolean = () => false
  readonly drops: string[] = []
  seeks = 0
  readonly saved: (readonly Anchor[])[] = []
  /** How long a list of anchors takes to the disk. */
  saving: () => Promise<void> = async () => {}
  readonly outreach: Outreach

  constructor({ options, anchors = [], known = [] }: OutreachWorld = {}) {
    const { groupRules = 'all' } = options ?? {}
    this.book = makeBook('outreach', groupRules)
    const lastHeardMs = this.clock.wallMs()
    for (const endpoint of known) {
      assert.equal(this.book.add(heard(endpoint, { lastHeardMs }), lastHeardMs), 'added', endpoint)
    }
    this.outreach = new Outreach(
      { ...OPTIONS, ...options },
      anchors,
      {
        host: this.host,
        book: this.book,
        clock: this.clock,
        random: () => 0.5,
        isWelcome: endpoint => !this.unwelcome(endpoint),
        dials: this.metrics.counter('dials'),
      },
      {
        drop: (peer, reason) => this.drops.push(`${peer} ${reason}`),
        seek: () => this.seeks++,
        anchors: list => {
          this.saved.push(list)
          return this.saving()
        },
      },
    )
  }

  /** Time passes, tick by tick. */
  async pass(ms: number): Promise<void> {
    for (const untilMs = this.clock.nowMs() + ms; this.clock.nowMs() < untilMs; ) {
      this.clock.advance(Math.min(TICK_MS, untilMs - this.clock.nowMs()))
      await this.tick()
    }
  }

  async tick(): Promise<void> {
    this.outreach.tick()
    await settleMicrotasks()
    this.outreach.check()
  }

  /** The addresses that were dialled so far. */
  get dialled(): string[] {
    return this.host.dials.map(({ address }) => address)
  }

  /** The last dial of an endpoint. */
  dialOf(endpoint: Endpoint): FakeDial {
    const dial = this.host.dials.findLast(({ address }) => address.startsWith(addressOf(endpoint)))
    assert.ok(dial !== undefined, `${endpoint} was not dialled`)
    return dial
  }

  /** A connection opens: what we have dialled, or with `from` one from outside. Undefined for a peer that is there. */
  connect(peer: PeerId, endpoint: Endpoint, from?: 'inbound'): Member | undefined {
    const direction = from ?? 'outbound'
    const member = this.roster.add(
      connectionOf(peer, { address: addressOf(endpoint, peer), direction }),
      this.clock.nowMs(),
    )
    if (member !== undefined) this.outreach.connected(member)
    return member
  }

  /** The handshake is done. */
  greet(
    peer: PeerId,
    { listens = [], isManual = false }: { listens?: Endpoint[]; isManual?: boolean } = {},
  ): void {
    const member = this.#member(peer)
    member.listens = listens
    this.roster.greet(member, 'done')
    this.outreach.greeted(member, isManual)
  }

  /** It is being dropped. */
  leave(peer: PeerId, reason: DropReason): void {
    const member = this.#member(peer)
    member.leaving = reason
    this.outreach.useless(member, reason)
  }

  lose(peer: PeerId): void {
    const member = this.roster.remove(peer)
    assert.ok(member !== undefined)
    this.outreach.disconnected(member)
  }

  /** How many dials have ended how: `outbound greeted` and so on, with those of the machine, where it counts them. */
  results(): Record<string, number> {
    const counted = Object.entries(this.metrics.read()).map(([series, count]) => {
      const [, purpose, result] = /^dials\{purpose=(.*),result=(.*),source=.*\}$/.exec(series) ?? []
      return [`${purpose} ${result}`, count] as const
    })
    const sums = new Map<string, number>()
    for (const [name, count] of counted) sums.set(name, (sums.get(name) ?? 0) + count)
    return Object.fromEntries([...sums].toSorted())
  }

  /** The same, as the machine has it. */
  heardResults(): Record<string, number> {
    const counted = Object.entries(this.outreach.counts.results).flatMap(([purpose, byResult]) =>
      RESULTS.flatMap(result =>
        byResult[result] > 0 ? [[`${purpose} ${result}`, byResult[result]] as const] : [],
      ),
    )
    return Object.fromEntries(counted.toSorted())
  }

  #member(peer: PeerId): Member {
    const member = this.roster.get(peer)
    assert.ok(member !== undefined, `${peer} is not connected`)
    return member
  }
}

/** Our own doorman has ended a dial. */
export function denied(reason: DropReason, peer?: PeerId): FloodgateError {
  return new FloodgateError('DENIED', reason, { cause: { reason, peer } })
}

export const UNREACHABLE = new FloodgateError('DIAL', 'connection refused')
