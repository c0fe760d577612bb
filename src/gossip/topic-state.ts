/**
 * A topic that the node has joined: what the upper layer said of it, its gate, and what has become of its messages.
 */
import { HEADER_MAX_BYTES } from '../core/limits.ts'
import type { Message, Topic } from '../core/types.ts'
import type { Handler, HeaderOf, QuickVerify, TopicLimits } from '../core/upper.ts'
import type { Gate, GateAction } from './gate.ts'
import type { Held } from './held.ts'

/** What the upper layer says about a topic: its limits, complete and checked, and its functions. */
export interface TopicSetup {
  readonly limits: TopicLimits
  readonly handler: Handler
  readonly quickVerify?: QuickVerify | undefined
  readonly header?: HeaderOf | undefined
}

/** What has become of a topic's messages. */
export interface TopicCounts {
  /** Distinct messages: further copies of one that is known are not counted. */
  received: number
  accepted: number
  ignored: number
  rejected: number
  /** Verdicts that came after they were due. */
  late: number
  /** Messages whose verdict was not there when it was due. */
  overdue: number
  acceptedBytes: number
  propagated: number
}

export interface TopicState {
  readonly topic: Topic
  readonly setup: TopicSetup
  readonly gate: Gate<Message>
  readonly counts: TopicCounts
  /** Messages by how they ended: `verdict reason` to a number. */
  readonly outcomes: Map<string, number>
  readonly held: Held
}

export const NO_HEADER = new Uint8Array(0)

/** @throws RangeError for a header that cannot be carried, and whatever the user's function throws */
export function headerOf({ header }: TopicSetup, payload: Uint8Array): Uint8Array {
  const cut = header?.(payload) ?? NO_HEADER
  if (cut.byteLength <= HEADER_MAX_BYTES) return cut
  throw new RangeError(`header() returned ${cut.byteLength} bytes, at most ${HEADER_MAX_BYTES} are carried`)
}

/** Counts a message that has come to its end. */
export function countEnd(
  { counts, outcomes }: TopicState,
  { message, verdict, reason, late }: Extract<GateAction<Message>, { type: 'judged' }>,
): void {
  if (verdict === 'accept') {
    counts.accepted++
    counts.acceptedBytes += message.payload.byteLength
  } else if (verdict === 'reject') counts.rejected++
  else counts.ignored++
  // What was given up or dropped has not had its verdict at all.
  if (late && reason !== 'timeout' && reason !== 'overflow') counts.late++
  const outcome = `${verdict} ${reason}`
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
}

export function newCounts(): TopicCounts {
  return {
    received: 0,
    accepted: 0,
    ignored: 0,
    rejected: 0,
    late: 0,
    overdue: 0,
    acceptedBytes: 0,
    propagated: 0,
  }
}
