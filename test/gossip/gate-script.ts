/** Cases for a gate, written as text. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Seen } from '../../src/core/seen.ts'
import { Gate, type GateAction, type GateEvent, type GateOptions } from '../../src/gossip/gate.ts'
import { GateLedger } from './gate-ledger.ts'

/** At a time, an event, and the actions that it must lead to, in order; all as text (see `Script`). */
type Step = [atMs: number, event: string, ...actions: string[]]

export interface Case {
  readonly id: string
  readonly options?: Partial<GateOptions>
  /** `settled` is among the actions; else it is left to the ledger, which watches each case. */
  readonly isWhole?: boolean
  readonly steps: readonly Step[]
}

const OPTIONS: GateOptions = {
  verdictTimeoutMs: 100,
  concurrency: 2,
  queueMaxMessages: 3,
  queueMaxBytes: 1_000,
  isQuick: false,
}

const SEEN = { ttlMs: 1_000, max: 10_000 }

/**
 * Plays events given as text against a gate:
 * `m from p` (a copy of message m by peer p; `m from p 60` with its size, else 1) · `accept m`, `ignore m`,
 * `reject m` (the handler's verdict; `accept m #3` for call number 3) · `quick accept m` … · `tick` · `close`.
 * Tickets are named `m/p`, a second copy by the same peer `m/p/2`. `m by p` is a copy that did not come by gossip,
 * `m by p vouched` one whose header was vouched for.
 */
export class Script {
  readonly gate: Gate<string>
  readonly #ledger = new GateLedger(SEEN.ttlMs)
  readonly #calls = new Map<string, number>()
  readonly #copies = new Map<string, number>()

  constructor(options: Partial<GateOptions> = {}) {
    this.gate = new Gate({ ...OPTIONS, ...options }, new Seen(SEEN))
  }

  play(atMs: number, text: string, isWhole = false): string[] {
    const event = this.#eventOf(text)
    const wasKnown = event.type === 'message' && this.gate.knows(event.key, atMs)
    const actions = this.gate.handle(event, atMs)
    this.gate.check(atMs)
    this.#ledger.note(event, actions, message => message, wasKnown, atMs)
    for (const action of actions) if ('call' in action) this.#calls.set(action.key, action.call)
    return actions.filter(({ type }) => isWhole || type !== 'settled').map(textOf)
  }

  #eventOf(text: string): GateEvent<string> {
    const words = text.split(' ')
    if (text === 'tick' || text === 'close') return { type: text }
    if (words[1] === 'by') return otherWay(words[0] ?? '', words[2] ?? '', words[3] === 'vouched')
    if (words[1] === 'from') return this.#copy(words[0] ?? '', words[2] ?? '', Number(words[3] ?? 1))
    const type = words[0] === 'quick' ? 'quick' : 'verdict'
    const [verdict = '', key = '', number] = type === 'quick' ? words.slice(1) : words
    assert.ok(verdict === 'accept' || verdict === 'ignore' || verdict === 'reject', text)
    const call = number === undefined ? (this.#calls.get(key) ?? 0) : Number(number.slice(1))
    return { type, key, call, verdict, reason: type === 'quick' ? 'quick' : 'handler' }
  }

  #copy(key: string, from: string, sizeBytes: number): GateEvent<string> {
    const name = `${key}/${from}`
    const copies = (this.#copies.get(name) ?? 0) + 1
    this.#copies.set(name, copies)
    return {
      type: 'message',
      key,
      from,
      ticket: copies === 1 ? name : `${name}/${copies}`,
      sizeBytes,
      message: key,
    }
  }
}

function otherWay(key: string, from: string, isVouched: boolean): GateEvent<string> {
  return { type: 'message', key, from, ticket: undefined, sizeBytes: 1, message: key, isVouched }
}

function textOf(action: GateAction<string>): string {
  switch (action.type) {
    case 'ask':
    case 'askQuick':
      return `${action.type} ${action.key}`
    case 'settled':
      return `settled ${action.key} ${action.verdict}`
    case 'settle':
      return `${action.verdict} ${action.ticket}`
    case 'blame':
      return `blame ${action.peer} for ${action.message}`
    case 'judged':
      return `judged ${action.message} ${action.verdict} ${action.reason}${action.late ? ' late' : ''}`
    case 'overdue':
      return `overdue ${action.message}`
  }
}

/** One test for each case. */
export function playCases(name: string, cases: readonly Case[]): void {
  describe(name, () => {
    for (const { id, options, isWhole, steps } of cases) {
      it(id, () => {
        const script = new Script(options)
        for (const [atMs, event, ...actions] of steps) {
          assert.deepEqual(script.play(atMs, event, isWhole), actions, `at ${atMs}: ${event}`)
        }
      })
    }
  })
}
