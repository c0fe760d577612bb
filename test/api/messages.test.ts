import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CallError, codeOf, HTTP_STATUS } from '../../src/api/codes.ts'
import { type AnswerOf, METHODS, type Method } from '../../src/api/messages.ts'
import { ERROR_CODES, type ErrorCode } from '../../src/core/errors.ts'
import { addressInfo, peerInfo } from './support/node.ts'

/** An answer with every field set. */
const full: { readonly [M in Method]: AnswerOf<M> } = {
  Peers: { peers: [peerInfo()] },
  Connect: { peer: 'x' },
  Disconnect: {},
  Ban: { ban: { target: '192.0.2.1', kind: 'ip', sinceMs: 1, untilMs: 2, reason: 'x' } },
  Unban: { removed: true },
  Bans: { bans: [{ target: '192.0.2.1', kind: 'ip', sinceMs: 1, untilMs: 2, reason: 'x' }] },
  Addresses: { addresses: [addressInfo({ peer: 'x' })], total: 1 },
  AddressStats: {
    newAddresses: 3,
    triedAddresses: 1,
    newBuckets: [1, 0, 2],
    triedBuckets: [1],
    bySource: { dns: 4, manual: 0 },
  },
  Status: {
    version: '1.2.3',
    peer: 'x',
    network: 'test',
    addresses: ['/ip4/127.0.0.1/tcp/1'],
    startedAtMs: 1,
    inbound: 1,
    outbound: 2,
    bans: 3,
    newAddresses: 4,
    triedAddresses: 5,
  },
}

type Json = string | number | boolean | Json[] | { [name: string]: Json }

/** As writers of protobuf's JSON leave it: without the fields of messages that have the zero of their type. */
function withoutZeros(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutZeros)
  if (typeof value !== 'object') return value
  const isZero = (it: Json): boolean =>
    it === 0 || it === '' || it === false || (Array.isArray(it) && it.length === 0)
  const kept = Object.entries(value).filter(([, it]) => !isZero(it))
  return Object.fromEntries(kept.map(([name, it]) => [name, withoutZeros(it)]))
}

describe('answers', () => {
  for (const method of Object.keys(METHODS) as Method[]) {
    const read = (json: string): unknown => METHODS[method].answer.parse(JSON.parse(json))

    it(`${method}: go over the wire and back`, () => {
      assert.deepEqual(read(JSON.stringify(full[method])), full[method])
    })

    it(`${method}: what is missing has the zero of its type`, () => {
      const empty = read('{}')
      assert.deepEqual(Object.keys(empty as object).sort(), Object.keys(full[method]).sort())
      assert.deepEqual(read(JSON.stringify(withoutZeros(empty as Json))), empty)
    })

    it(`${method}: what is unknown is passed over`, () => {
      assert.deepEqual(read(JSON.stringify({ ...full[method], later: [1] })), full[method])
    })
  }

  it('keep what is zero, false or empty when a writer leaves it out', () => {
    const idle = addressInfo({ lastHeardMs: 0, isTried: false, attempts: 0 })
    const left = withoutZeros(JSON.parse(JSON.stringify({ addresses: [idle], total: 1 })))
    const { peer: _, ...read } = METHODS.Addresses.answer.parse(left).addresses[0] ?? {}
    const { peer: __, ...expected } = idle
    assert.deepEqual(read, expected)
  })
})

describe('codes', () => {
  it('have the HTTP status that Connect gives them', () => {
    // connectrpc.com/docs/protocol, "Error codes".
    const table = {
      canceled: 499,
      invalid_argument: 400,
      deadline_exceeded: 504,
      not_found: 404,
      resource_exhausted: 429,
      failed_precondition: 400,
      unimplemented: 501,
      internal: 500,
      unavailable: 503,
    }
    assert.deepEqual(HTTP_STATUS, table)
  })

  it('exist for every error of the node', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[])
      assert.ok(Object.hasOwn(HTTP_STATUS, codeOf(code)), code)
  })

  it('and messages are all that a caller is told', () => {
    const error = new CallError('not_found', 'nobody', { headers: { 'x-more': 'no' } })
    assert.equal(JSON.stringify(error), '{"code":"not_found","message":"nobody"}')
    assert.equal(error.status, 404)
  })
})
