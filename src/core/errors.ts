/**
 * Misuse by our caller, as an exception with a stable code.
 *
 * Rule: nothing a peer does ever throws one of these. A peer's misbehaviour is an `Offence` in an action
 * (`core/offences.ts`), and a broken invariant of our own is a failed assertion.
 */

/** Every code, with what it means. The code is the contract; the message is for people and may change. */
export const ERROR_CODES = {
  CONFIG: 'the configuration has an unknown key or a bad value',
  ARGUMENT: 'an argument has the wrong type',
  NOT_STARTED: 'the node must be started first',
  STOPPED: 'the node was stopped while the call was under way',
  TOPIC: 'the topic is empty, too long, or not what the call needs',
  TOO_LARGE: 'the payload is larger than the topic allows',
  ADDRESS: 'the address cannot be parsed, or lacks a part that is needed',
  NO_PEER: 'there is no connection to that peer',
  LISTEN: 'the node cannot listen on an address',
  BUSY: 'more messages wait to be sent than the node holds: wait for `propagate` before the next',
  DIAL: 'the peer could not be reached',
  DENIED: 'our own rules forbid the connection: a ban, a limit, or one that exists already',
  PROTOCOL: 'the peer does not speak the protocol, or broke its rules',
  TIMEOUT: 'the other side did not answer in time',
  IN_USE: 'another process uses the data folder',
  STORE: 'the data folder cannot be used',
  IDENTITY: 'the identity file cannot be used',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/** The only exception that Floodgate throws at its caller on purpose. */
export class FloodgateError extends Error {
  override readonly name = 'FloodgateError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
