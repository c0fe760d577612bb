/**
 * What goes over the control API: the methods of `floodgate.v1.NodeService`, with the shape of each request and answer.
 *
 * - Both sides use these: the server checks requests, the client checks answers.
 * - JSON as protobuf writes it, so that a Connect server can take over without a change of the client. Hence times and
 *   durations are numbers of type double (an int64 would be text in JSON), and a field that is missing in an answer has
 *   the zero of its type, because protobuf's writers leave those out.
 * - Requests are strict: a field that we do not know is a mistake of the caller, and ignoring it would do something
 *   else than what was meant. Answers are lax: a newer node may say more, and use words that we do not know.
 */
import { z } from 'zod'

/** The path of a method is this, a slash and its name. */
export const SERVICE_PATH = '/floodgate.v1.NodeService'

/** More addresses than this are asked for in several calls. */
export const ADDRESSES_MAX = 10_000

const TEXT_MAX = 1_024
const YEAR_MS = 31_557_600_000
const BAN_MAX_MS = 100 * YEAR_MS

function given(what: string, lengthMax = TEXT_MAX) {
  const error = `expected ${what}, of 1 to ${lengthMax} characters`
  return z.string({ error }).min(1, { error }).max(lengthMax, { error })
}

function whole(min: number, max: number, what = 'a whole number') {
  const error = `expected ${what} from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

const yesOrNo = z.boolean({ error: 'expected true or false' }).default(false)

const number = z.number().default(0)
const text = z.string().default('')
const texts = z.array(z.string()).default([])

/** `PeerInfo` of `peers/view.ts`, where its fields are explained. */
const peer = z.object({
  peer: text,
  address: text,
  group: text,
  direction: text,
  role: text,
  connectedAtMs: number,
  rttMs: z.number().optional(),
  score: number,
  agent: text,
  handshake: text,
})

/** `BanInfo` of `peers/view.ts`. */
const ban = z.object({ target: text, kind: text, sinceMs: number, untilMs: number, reason: text })

/** `AddressInfo` of `peers/view.ts`. */
const address = z.object({
  endpoint: text,
  group: text,
  peer: z.string().optional(),
  source: text,
  sourceGroup: text,
  lastHeardMs: number,
  lastAttemptMs: number,
  lastSuccessMs: number,
  attempts: number,
  isTried: z.boolean().default(false),
})

export const METHODS = {
  /** The connected peers. */
  Peers: {
    request: z.strictObject({}),
    answer: z.object({ peers: z.array(peer).default([]) }),
  },
  /** Dials; answers when the connection stands. With `keep` it is made again whenever it is lost. */
  Connect: {
    request: z.strictObject({ address: given('a multiaddr'), keep: yesOrNo }),
    answer: z.object({ peer: text }),
  },
  /** Closes all connections to a peer, and keeps it connected no longer. */
  Disconnect: {
    request: z.strictObject({ peer: given('a peer id') }),
    answer: z.object({}),
  },
  /** Without `forMs` for as long as the node thinks right. A ban that exists is replaced. */
  Ban: {
    request: z.strictObject({
      target: given('an IP address, a CIDR range or a peer id'),
      forMs: whole(1, BAN_MAX_MS, 'milliseconds').optional(),
      reason: z.string({ error: 'expected text' }).max(TEXT_MAX, { error: 'is too long' }).default(''),
    }),
    answer: z.object({ ban: ban.prefault({}) }),
  },
  /** `removed` is false when there was no such ban. */
  Unban: {
    request: z.strictObject({ target: given('an IP address, a CIDR range or a peer id') }),
    answer: z.object({ removed: z.boolean().default(false) }),
  },
  Bans: {
    request: z.strictObject({}),
    answer: z.object({ bans: z.array(ban).default([]) }),
  },
  /** The address book, what worked last first: `limit` of them after the first `offset`, of one table or both. */
  Addresses: {
    request: z.strictObject({
      table: z.enum(['new', 'tried'], { error: 'expected "new" or "tried"' }).optional(),
      limit: whole(1, ADDRESSES_MAX).default(100),
      offset: whole(0, 2 ** 31).default(0),
    }),
    /** `total`: how many there are in the table, or in both. */
    answer: z.object({ addresses: z.array(address).default([]), total: number }),
  },
  /** `AddressStats` of `peers/view.ts`. */
  AddressStats: {
    request: z.strictObject({}),
    answer: z.object({
      newAddresses: number,
      triedAddresses: number,
      newBuckets: z.array(z.number()).default([]),
      triedBuckets: z.array(z.number()).default([]),
      bySource: z.record(z.string(), z.number()).default({}),
    }),
  },
  Status: {
    request: z.strictObject({}),
    /** `startedAtMs`: since when the API is served, in milliseconds since the Unix epoch. */
    answer: z.object({
      version: text,
      peer: text,
      network: text,
      addresses: texts,
      startedAtMs: number,
      inbound: number,
      outbound: number,
      bans: number,
      newAddresses: number,
      triedAddresses: number,
    }),
  },
} as const

export type Method = keyof typeof METHODS

/** What a client sends. */
export type RequestOf<M extends Method> = z.input<(typeof METHODS)[M]['request']>

/** What a server works with: the defaults are filled in. */
export type CheckedRequestOf<M extends Method> = z.output<(typeof METHODS)[M]['request']>

export type AnswerOf<M extends Method> = z.output<(typeof METHODS)[M]['answer']>

export type PeerAnswer = z.output<typeof peer>
export type BanAnswer = z.output<typeof ban>
export type AddressAnswer = z.output<typeof address>
