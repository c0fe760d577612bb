/**
 * What an answer of the upper layer amounts to.
 *
 * Rules:
 * - A verdict in any of its forms (`core/upper.ts`) is that verdict.
 * - `hold` is for handlers only. Why: what waits is asked again without a quick verdict, and would pass as if it had one.
 * - Everything else, be it no verdict or whatever was thrown, is `ignore` with a
 *   complaint for the log: a bug in our caller must neither punish a peer nor spread a message.
 */
import { inspect } from 'node:util'
import { MESSAGE_ID_BYTES, messageKey } from '../core/hash.ts'
import type { MessageKey, Verdict } from '../core/types.ts'
import type { Reason } from './gate.ts'

export interface Ruling {
  readonly verdict: Verdict
  readonly reason: Reason
  /** What the message is to wait for, when the reason is `hold`. */
  readonly hold?: readonly MessageKey[]
  /** What to tell the user. `text` is one of a few fixed sentences. */
  readonly complaint?: { readonly text: string; readonly error?: string }
}

const ACCEPT: Ruling = { verdict: 'accept', reason: 'handler' }
const IGNORE: Ruling = { verdict: 'ignore', reason: 'handler' }
const REJECT: Ruling = { verdict: 'reject', reason: 'handler' }

/** The answer may be anything: handlers come from programs without types, too. */
export function rulingOf(answer: unknown): Ruling {
  if (answer === 'accept' || answer === true) return ACCEPT
  if (answer === 'reject' || answer === false) return REJECT
  if (answer === 'ignore') return IGNORE
  if (isHold(answer)) return holdOf(answer.hold)
  return failed(new TypeError(`the answer ${inspect(answer)} is no verdict`))
}

/** The same for a quick verdict. */
export function quickRulingOf(answer: unknown): Ruling {
  const ruling = rulingOf(answer)
  if (ruling.hold === undefined) return ruling
  return failed(new TypeError(`the answer ${inspect(answer)} is no quick verdict`))
}

/** The upper layer threw or rejected. */
export function failed(error: unknown): Ruling {
  // Not String(): it throws for an object without a prototype.
  const description = error instanceof Error ? (error.stack ?? error.message) : inspect(error)
  const complaint = { text: 'a handler failed: the message is ignored', error: description }
  return { verdict: 'ignore', reason: 'threw', complaint }
}

/** Also for promises of other realms and libraries, which are no `Promise` of ours. */
export function isPromise(answer: unknown): answer is PromiseLike<unknown> {
  return typeof (answer as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

function isHold(answer: unknown): answer is { hold: unknown[] } {
  return typeof answer === 'object' && answer !== null && 'hold' in answer && Array.isArray(answer.hold)
}

function holdOf(ids: readonly unknown[]): Ruling {
  const keys: MessageKey[] = []
  for (const id of ids) {
    if (!(id instanceof Uint8Array) || id.byteLength !== MESSAGE_ID_BYTES) {
      return failed(new TypeError(`hold: ${inspect(id)} is no message id`))
    }
    keys.push(messageKey(id))
  }
  return { verdict: 'ignore', reason: 'hold', hold: keys }
}
