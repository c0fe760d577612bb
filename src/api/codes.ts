/**
 * How a call of the control API fails: the codes of the Connect protocol, which are gRPC's, each with its HTTP status
 * (connectrpc.com/docs/protocol, "Error codes").
 *
 * Rule: a client acts on the code alone. The message is for people and may change.
 */
import type { ErrorCode } from '../core/errors.ts'

/** The codes that this API uses. */
export const HTTP_STATUS = {
  canceled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  resource_exhausted: 429,
  failed_precondition: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
} as const

export type Code = keyof typeof HTTP_STATUS

export interface HttpAnswer {
  /** Instead of the status that the code has, where HTTP has a better one: 404 for a path that is no method. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A call that failed, as its caller is told. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly code: Code
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: Code, message: string, { status, headers = {} }: HttpAnswer = {}) {
    super(message)
    this.code = code
    this.status = status ?? HTTP_STATUS[code]
    this.headers = headers
  }

  /** The body of the answer. */
  toJSON(): { code: Code; message: string } {
    return { code: this.code, message: this.message }
  }
}

/** What an error of the node is to a caller of the API. */
const CODE_OF: Readonly<Record<ErrorCode, Code>> = {
  CONFIG: 'invalid_argument',
  ARGUMENT: 'invalid_argument',
  TOPIC: 'invalid_argument',
  TOO_LARGE: 'invalid_argument',
  ADDRESS: 'invalid_argument',
  NOT_STARTED: 'unavailable',
  STOPPED: 'unavailable',
  DIAL: 'unavailable',
  IN_USE: 'unavailable',
  NO_PEER: 'not_found',
  BUSY: 'resource_exhausted',
  DENIED: 'failed_precondition',
  PROTOCOL: 'failed_precondition',
  TIMEOUT: 'deadline_exceeded',
  LISTEN: 'internal',
  STORE: 'internal',
  IDENTITY: 'internal',
}

/** The code for an error of the node. */
export function codeOf(error: ErrorCode): Code {
  return CODE_OF[error]
}
