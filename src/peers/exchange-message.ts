/**
 * The two frames of the address exchange, `/floodgate/<network>/pex/1`: a question and its answer.
 *
 * Both have their fields from one numbering, so that a question that carries addresses is recognised as what it is.
 */
import type { Endpoint } from '../core/endpoint.ts'
import { bytes, type Decoded, message, nested, optional, repeated, uint, type Value } from '../core/wire.ts'
import { ENDPOINT_FIELDS, endpointIn, fieldsOf } from './endpoint-message.ts'

/** How many addresses an answer may hold (as CometBFT; Bitcoin's 1,000 serve a larger network). */
export const ANSWER_MAX = 250

/** The longest pause that an answer may ask for, in seconds: a day. */
export const RETRY_MAX_S = 86_400

/** A question is a few bytes. */
export const QUESTION_MAX_BYTES = 1_024

/** 250 addresses take 8 KiB; the rest is for later versions. */
export const ANSWER_MAX_BYTES = 16_384

/** From the opening of the stream to its end. */
export const EXCHANGE_TIMEOUT_MS = 10_000

/** An address as it is told. */
export interface Told {
  /** Undefined for what is none: an IP address of no known length, or port 0. */
  readonly endpoint: Endpoint | undefined
  /** When the teller last reached it, in seconds since the Unix epoch; 0 for never. */
  readonly lastSuccessS: number
}

export interface Answer {
  readonly told: readonly Told[]
  /** How long to wait before the next question. */
  readonly retryAfterS: number
}

const ENTRY = message(
  {
    ...ENDPOINT_FIELDS,
    // As milliseconds it is still a safe integer.
    lastSuccessS: uint(3, { max: 2 ** 43 - 1 }),
  },
  256,
)

/** An address in an answer. */
export type Entry = Value<typeof ENTRY>

const QUESTION = message(
  {
    version: uint(1, { max: 2 ** 31 - 1 }),
    // Where an answer has its addresses. What they are does not matter here, only that there are some.
    unsolicited: optional(bytes(2, { maxBytes: 1_000 })),
  },
  QUESTION_MAX_BYTES,
)

const ANSWER = message(
  {
    entries: repeated(nested(2, ENTRY), { max: ANSWER_MAX }),
    retryAfterS: uint(3, { max: RETRY_MAX_S }),
  },
  ANSWER_MAX_BYTES,
)

/** The protocol id. */
export function exchangeProtocol(network: string): string {
  return `/floodgate/${network}/pex/1`
}

/** The question, always the same. */
export const QUESTION_FRAME: Uint8Array = QUESTION.encode({ version: 1, unsolicited: undefined })

/** What a question turns out to be: `unsolicited` when it carries addresses, whatever they are. */
export function readQuestion(frame: Uint8Array): 'question' | 'unsolicited' | 'malformed' {
  const { value } = QUESTION.decode(frame)
  if (value === undefined) return 'malformed'
  return value.unsolicited === undefined ? 'question' : 'unsolicited'
}

/** An address made ready for answers, since reading its text takes most of the work of one. */
export function entryOf(endpoint: Endpoint, lastSuccessS: number): Entry {
  return { ...fieldsOf(endpoint), lastSuccessS }
}

export function answerOf(entries: readonly Entry[], retryAfterS: number): Uint8Array {
  return ANSWER.encode({ entries, retryAfterS })
}

export function readAnswer(frame: Uint8Array): Decoded<Answer> {
  const decoded = ANSWER.decode(frame)
  if (decoded.problem !== undefined) return decoded
  const { entries, retryAfterS } = decoded.value
  const told = entries.map(entry => ({ endpoint: endpointIn(entry), lastSuccessS: entry.lastSuccessS }))
  return { value: { told, retryAfterS } }
}
