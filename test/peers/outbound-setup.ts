/**
 * What the tests of the outbound machine share: its options in small numbers, a book whose draws can be foretold, and
 * courses of events as tables.
 */
import assert from 'node:assert/strict'
import type { DropReason } from '../../src/core/drops.ts'
import { type Endpoint, groupOf } from '../../src/core/endpoint.ts'
import type { Anchor } from '../../src/peers/anchors.ts'
import { Outbound, type OutboundOptions } from '../../src/peers/outbound.ts'
import type { OutboundAction, OutboundEvent } from '../../src/peers/outbound-event.ts'
import type { DialBook } from '../../src/peers/pick.ts'
import type { AddressInfo } from '../../src/peers/view.ts'

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

/** Wall time at 0 of the monotonic clock. */
export const WALL_MS = 1_800_000_000_000

/** Endpoint `host` of group `group`: `11.<group>.0.<host>:9000`. */
export function endpointIn(group: number, host = 1): Endpoint {
  return `11.${group}.${Math.floor(host / 256)}.${host % 256}:9000`
}

type Writable = { -readonly [K in keyof AddressInfo]: AddressInfo[K] }

/** A list that is drawn from in turn. It counts every attempt that it is told to count. */
export class ListBook implements DialBook {
  readonly list: Writable[] = []
  /** Occupants of places that others want. */
  readonly occupants: Endpoint[] = []
  resolved = 0
  draws = 0
  #turn = 0

  constructor(...endpoints: readonly Endpoint[]) {
    for (const endpoint of endpoints) this.put(endpoint)
  }

  put(endpoint: Endpoint, known: Partial<AddressInfo> = {}): void {
    const group = groupOf(endpoint)
    this.list.push({
      endpoint,
      group,
      peer: undefined,
      source: 'exchange',
      sourceGroup: group,
      lastHeardMs: WALL_MS,
      lastAttemptMs: 0,
      lastSuccessMs: 0,
      attempts: 0,
      isTried: false,
      ...known,
    })
  }

  get(endpoint: Endpoint): Writable | undefined {
    return this.list.find(info => info.endpoint === endpoint)
  }

  attempt(endpoint: Endpoint, counted: boolean, wallMs: number): void {
    const info = this.get(endpoint)
    if (info === undefined) return
    info.lastAttemptMs = wallMs
    if (counted) info.attempts++
  }

  good(endpoint: Endpoint, peer: string, wallMs: number): void {
    const info = this.get(endpoint)
    if (info !== undefined) Object.assign(info, { peer, lastSuccessMs: wallMs, attempts: 0, isTried: true })
  }

  heard(endpoint: Endpoint, wallMs: number): void {
    const info = this.get(endpoint)
    if (info !== undefined) info.lastHeardMs = wallMs
  }

  remove(endpoint: Endpoint): boolean {
    const at = this.list.findIndex(info => info.endpoint === endpoint)
    if (at >= 0) this.list.splice(at, 1)
    return at >= 0
  }

  select({ newOnly = false }: { newOnly?: boolean }): AddressInfo | undefined {
    this.draws++
    for (let tries = 0; tries < this.list.length; tries++) {
      const info = this.list[this.#turn++ % this.list.length]
      if (info !== undefined && !(newOnly && info.isTried)) return { ...info }
    }
    return undefined
  }

  selectCollision(): AddressInfo | undefined {
    return this.get(this.occupants[0] ?? '')
  }

  resolveCollisions(): void {
    this.resolved++
  }
}

/** An action in short: `outbound 11.1.0.1:9000`, `drop P rotated`, `seek`, `anchors 11.1.0.1:9000 1`. */
export function inShort(action: OutboundAction): string {
  switch (action.type) {
    case 'dial':
      return `${action.purpose} ${action.endpoint}`
    case 'drop':
      return `drop ${action.peer} ${action.reason}`
    case 'seek':
      return 'seek'
    case 'anchors':
      return ['anchors', ...action.anchors.map(({ endpoint, trials }) => `${endpoint} ${trials}`)].join(' ')
  }
}

export const [A, B, C, D, E] = [1, 2, 3, 4, 5].map(group => endpointIn(group)) as [
  string,
  string,
  string,
  string,
  string,
]
/** In the group of A. */
export const A2 = endpointIn(1, 2)

export const TICK_MS = 100

export const tick: OutboundEvent = { type: 'tick' }
export const learned: OutboundEvent = { type: 'learned' }
export const failed = (endpoint: string): OutboundEvent => ({ type: 'failed', endpoint })
export const greeted = (endpoint: string, peer: string): OutboundEvent => ({
  type: 'greeted',
  endpoint,
  peer,
})
export const refused = (endpoint: string, reason: DropReason, peer?: string): OutboundEvent => ({
  type: 'refused',
  endpoint,
  reason,
  peer,
})
export const closed = (peer: string): OutboundEvent => ({ type: 'closed', peer })
export const joined = (peer: string): OutboundEvent => ({ type: 'peer', peer })
export const gone = (peer: string): OutboundEvent => ({ type: 'gone', peer })

/** At a time, an event, and the actions thereupon (`inShort`). */
export type Step = [atMs: number, event: OutboundEvent, ...actions: string[]]

/** What a table tells of one course of events. Chance is 0.5: what is spread lies in its middle. */
export interface Course {
  readonly id: string
  readonly book: readonly string[]
  readonly options?: Partial<OutboundOptions>
  readonly mayNot?: readonly string[]
  readonly anchors?: readonly Anchor[]
  readonly steps: readonly Step[]
}

/** Every 100 ms between two steps there is a tick, on which nothing may happen. */
export function play({ book, options, mayNot = [], anchors = [], steps }: Course): void {
  const outbound = new Outbound(
    { ...OPTIONS, ...options },
    {
      book: new ListBook(...book),
      random: () => 0.5,
      mayDial: endpoint => !mayNot.includes(endpoint),
      anchors,
    },
  )
  let nowMs = 0
  const handle = (event: OutboundEvent, actions: string[]): void => {
    const done = outbound.handle(event, nowMs, WALL_MS + nowMs)
    outbound.check()
    assert.deepEqual(done.map(inShort), actions, `at ${nowMs}: ${JSON.stringify(event)}`)
  }
  for (const [atMs, event, ...actions] of steps) {
    for (let tickMs = nowMs - (nowMs % TICK_MS) + TICK_MS; tickMs < atMs; tickMs += TICK_MS) {
      nowMs = tickMs
      handle(tick, [])
    }
    nowMs = atMs
    handle(event, actions)
  }
}

/** All three places taken by P, Q and R at A, B and C, at time 0. */
export const FULL: readonly Step[] = [
  [0, tick, `outbound ${A}`, `outbound ${B}`],
  [0, greeted(A, 'P'), `outbound ${C}`],
  [0, greeted(B, 'Q')],
  [0, greeted(C, 'R')],
]
