/**
 * What an answer of the upper layer amounts to.
 *
 * Rules:
 * - A verdict in any of its forms (`core/upper.ts`) is that verdict.
 * - Everything else, be it no verdict, a request that is not supported or whatever was thrown, is `ignore` with a
 *   complaint for the log: a bug in our caller must neither punish a peer nor spread a message.
 */
import { inspect } from 'node:util'
import type { Verdict } from '../core/types.ts'
import type { Reason } from './gate.ts'

export interface Ruling {
  readonly verdict: Verdict
  readonly reason: Reason
  /** What to tell the user. `text` is one of a few fixed sentences. */
  readonly complaint?: { readonly text: string; readonly error?: string }
}

const ACCEPT: Ruling = { verdict: 'accept', reason: 'handler' }
const IGNORE: Ruling = { verdict: 'ignore', reason: 'handler' }
const REJECT: Ruling = { verdict: 'reject', reason: 'handler' }
const HOLD: Ruling = {
  verdict: 'ignore',
  reason: 'hold',
  complaint: { text: 'a handler asked to hold a message, which is not supported yet: ignored' },
}

/** The answer may be anything: handlers come from programs without types, too. */
export function rulingOf(answer: unknown): Ruling {
  if (answer === 'accept' || answer === true) return ACCEPT
  if (answer === 'reject' || answer === false) return REJECT
  if (answer === 'ignore') return IGNORE
  if (isHold(answer)) return HOLD
  return failed(new TypeError(`the answer ${inspect(answer)} is no verdict`))
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

function isHold(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'hold' in answer && Array.isArray(answer.hold)
}
