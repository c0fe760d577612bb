/** Cases for the asking side, written as text. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { MessageId, MessageKey } from '../../src/core/types.ts'
import type { AnnouncedItem } from '../../src/gossip/announcement.ts'
import { Asks, type AsksAction, type AsksEvent, type Standing } from '../../src/gossip/asks.ts'

/** At a time, an event, and the actions that it must lead to, in order; all as text (see `AsksScript`). */
export type Step = [atMs: number, event: string, ...actions: string[]]

export interface Case {
  readonly id: string
  readonly steps: readonly Step[]
}

export const MAX_PAYLOAD_BYTES = 100
export const SETTLE_MS = 3_000
const SIZE_BYTES = 10

/** A message by its name: 20 characters, with its size if it is another than 10, as in `a:5`. */
export function itemOf(text: string): AnnouncedItem {
  const [name = '', size] = text.split(':')
  const key = name.padEnd(20, '-')
  const id = Buffer.from(key, 'latin1') as unknown as MessageId
  return { key, id, sizeBytes: size === undefined ? SIZE_BYTES : Number(size) }
}

const nameOf = (key: MessageKey): string => key.replace(/-+$/, '')

/**
 * Plays events given as text:
 * `p announces a b:5 as t` (by gossip, with ticket t) · `p offers a b` · `p echoes a` · `p sends a:5` · `p lacks a b` ·
 * `p may have a` (wanted) · `accept a`, `ignore a`, `reject a` (`accept a:5` with its true size) · `p goes` · `tick` ·
 * `close` · `a is judging`, `a is accepted`, … (its standing from now on).
 */
export class AsksScript {
  readonly standings = new Map<MessageKey, Standing>()
  readonly sizes = new Map<MessageKey, number>()
  readonly asks = new Asks({
    maxPayloadBytes: MAX_PAYLOAD_BYTES,
    settleMs: SETTLE_MS,
    standingOf: key => this.standings.get(key) ?? 'new',
    sizeOf: key => this.sizes.get(key),
  })

  play(atMs: number, text: string): string[] {
    const event = this.#eventOf(text)
    if (event === undefined) return []
    const actions = this.asks.handle(event, atMs)
    this.asks.check()
    return actions.map(textOf)
  }

  #eventOf(text: string): AsksEvent | undefined {
    if (text === 'tick' || text === 'close') return { type: text }
    const [first = '', second = '', ...rest] = text.split(' ')
    if (first === 'accept' || first === 'ignore' || first === 'reject') {
      const { key, sizeBytes } = itemOf(second)
      this.standings.set(key, first === 'accept' ? 'accepted' : 'over')
      this.sizes.set(key, sizeBytes)
      return { type: 'settled', key, sizeBytes, verdict: first }
    }
    if (second === 'is') {
      const { key, sizeBytes } = itemOf(first)
      this.standings.set(key, rest[0] as Standing)
      if (first.includes(':')) this.sizes.set(key, sizeBytes)
      return undefined
    }
    return peerEventOf(first, second, rest)
  }
}

function peerEventOf(from: string, what: string, rest: string[]): AsksEvent {
  switch (what) {
    case 'announces': {
      const ticket = rest.at(-1)
      assert.equal(rest.at(-2), 'as')
      return { type: 'announced', from, items: rest.slice(0, -2).map(itemOf), ticket }
    }
    case 'offers':
      return { type: 'announced', from, items: rest.map(itemOf), ticket: undefined }
    case 'echoes':
      return { type: 'echoed', from, items: rest.map(itemOf) }
    case 'sends': {
      const { key, id, sizeBytes } = itemOf(rest[0] ?? '')
      return { type: 'payload', from, key, id, payload: new Uint8Array(sizeBytes) }
    }
    case 'lacks':
      return { type: 'lacked', from, keys: rest.map(text => itemOf(text).key) }
    case 'may':
      return { type: 'wanted', from, keys: rest.slice(1).map(text => itemOf(text).key) }
    case 'goes':
      return { type: 'gone', peer: from }
    default:
      throw new Error(`what is: ${from} ${what}`)
  }
}

export function textOf(action: AsksAction): string {
  switch (action.type) {
    case 'ask':
      return `ask ${action.peer} for ${action.keys.map(nameOf).join(' ')}`
    case 'deliver':
      return `deliver ${nameOf(action.key)} from ${action.from}`
    case 'settle':
      return `${action.verdict} ${action.from}/${action.ticket}`
    case 'announce': {
      const { key, sizeBytes } = action.item
      return `announce ${nameOf(key)}${sizeBytes === SIZE_BYTES ? '' : `:${sizeBytes}`}`
    }
    case 'offence':
      return `blame ${action.peer}: ${action.offence}`
    default:
      action satisfies never
      return ''
  }
}

/** One test for each case. */
export function playCases(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const { id, steps } of cases) {
      it(id, () => {
        const script = new AsksScript()
        for (const [atMs, event, ...actions] of steps) {
          assert.deepEqual(script.play(atMs, event), actions, `at ${atMs}: ${event}`)
        }
      })
    }
  })
}
