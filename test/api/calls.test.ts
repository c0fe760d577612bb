/**
 * What a request may be, and what each mistake is answered with.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Control } from '../../src/api/server.ts'
import { FakeNode, OTHER_PEER, serve } from './support/node.ts'
import { callRaw, post, Raw } from './support/raw.ts'

const TIMEOUT_MS = 30_000
const LIMIT_BYTES = 65_536

interface Mistake {
  readonly id: string
  readonly request: string | Uint8Array
  readonly status: number
  readonly code: string
  readonly says: RegExp | string
  readonly header?: readonly [name: string, value: string]
}

/** A Ban whose reason makes the body so long. */
function banOf(sizeBytes: number): string {
  const [begin, end] = ['{"target":"192.0.2.1","reason":"', '"}']
  return `${begin}${'x'.repeat(sizeBytes - begin.length - end.length)}${end}`
}

function chunked(method: string, ...parts: string[]): string {
  const head = post(method, '', { 'transfer-encoding': 'chunked' }).replace('content-length: 0\r\n', '')
  return `${head}${parts.map(part => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
}

const ban = (fields: object): string => post('Ban', JSON.stringify({ target: '192.0.2.1', ...fields }))
const connect = (body: string): string => post('Connect', body)
const wrong = { status: 400, code: 'invalid_argument' }

const mistakes: Mistake[] = [
  {
    id: 'an unknown method',
    request: post('Peer', '{}'),
    status: 404,
    code: 'unimplemented',
    says: 'there is no method "/floodgate.v1.NodeService/Peer"',
  },
  {
    id: 'a method that every object has',
    request: post('constructor', '{}'),
    status: 404,
    code: 'unimplemented',
    says: /no method/,
  },
  {
    id: 'another service',
    request: post('Peers', '{}').replace('floodgate.v1', 'floodgate.v2'),
    status: 404,
    code: 'unimplemented',
    says: /no method/,
  },
  {
    id: 'a long path is not repeated in full',
    request: post('x'.repeat(4_000), '{}'),
    status: 404,
    code: 'unimplemented',
    says: /^there is no method .{82}$/,
  },
  {
    id: 'GET',
    request: post('Peers', '').replace('POST', 'GET'),
    status: 405,
    code: 'unimplemented',
    says: /POST/,
    header: ['allow', 'POST'],
  },
  {
    id: 'a form',
    request: post('Peers', '{}', { 'content-type': 'application/x-www-form-urlencoded' }),
    status: 415,
    code: 'invalid_argument',
    says: /application\/json/,
    header: ['accept-post', 'application/json'],
  },
  {
    id: 'a type that only begins like JSON',
    request: post('Peers', '{}', { 'content-type': 'application/jsonx' }),
    status: 415,
    code: 'invalid_argument',
    says: /application\/json/,
  },
  {
    id: 'a compressed body',
    request: post('Peers', '{}', { 'content-encoding': 'gzip' }),
    status: 501,
    code: 'unimplemented',
    says: /compressed/,
    header: ['accept-encoding', 'identity'],
  },
  {
    id: 'another version of the protocol',
    request: post('Peers', '{}', { 'connect-protocol-version': '2' }),
    ...wrong,
    says: /connect-protocol-version must be 1/,
  },
  ...['-1', '12345678901', 'soon', '1e3'].map(value => ({
    id: `a deadline of ${value}`,
    request: post('Peers', '{}', { 'connect-timeout-ms': value }),
    ...wrong,
    says: /connect-timeout-ms must be/,
  })),
  ...['', '{', '{}{}', 'null 1', '{"target":}'].map(body => ({
    id: `no JSON: ${JSON.stringify(body)}`,
    request: post('Peers', body),
    ...wrong,
    says: 'the body is not JSON',
  })),
  {
    id: 'no UTF-8',
    request: Buffer.from(post('Connect', '{"address":"\xff"}', { 'content-length': '15' }), 'latin1'),
    ...wrong,
    says: 'the body is not JSON',
  },
  ...['null', '[]', '"text"', '1', 'true'].map(body => ({
    id: `JSON that is no object: ${body}`,
    request: connect(body),
    ...wrong,
    says: 'expected a JSON object',
  })),
  { id: 'an unknown field', request: post('Peers', '{"wide":1}'), ...wrong, says: 'unknown field "wide"' },
  {
    id: 'the name of the prototype',
    request: post('Peers', '{"__proto__":{"x":1}}'),
    ...wrong,
    says: 'unknown field "__proto__"',
  },
  {
    id: 'two mistakes are told at once',
    request: connect('{"keep":"yes"}'),
    ...wrong,
    says: 'address: expected a multiaddr, of 1 to 1024 characters; keep: expected true or false',
  },
  {
    id: 'an address that is a number',
    request: connect('{"address":1}'),
    ...wrong,
    says: /^address: expected/,
  },
  { id: 'an empty address', request: connect('{"address":""}'), ...wrong, says: /^address: expected/ },
  {
    id: 'a long address',
    request: connect(JSON.stringify({ address: 'x'.repeat(1_025) })),
    ...wrong,
    says: /^address: expected/,
  },
  { id: 'no peer', request: post('Disconnect', '{}'), ...wrong, says: /^peer: expected a peer id/ },
  ...[0, -1, 1.5, 1e300, 3.2e12, '"60000"', 'null'].map(forMs => ({
    id: `a ban of ${forMs} ms`,
    request: post('Ban', `{"target":"192.0.2.1","forMs":${forMs}}`),
    ...wrong,
    says: /^forMs: expected milliseconds from 1 to 3155760000000$/,
  })),
  { id: 'a long reason', request: ban({ reason: 'x'.repeat(1_025) }), ...wrong, says: 'reason: is too long' },
  { id: 'a reason that is none', request: ban({ reason: 7 }), ...wrong, says: 'reason: expected text' },
  {
    id: 'no target',
    request: post('Unban', '{"target":[]}'),
    ...wrong,
    says: /^target: expected an IP address/,
  },
  {
    id: 'a third table',
    request: post('Addresses', '{"table":"old"}'),
    ...wrong,
    says: 'table: expected "new" or "tried"',
  },
  ...[0, 10_001, 2.5].map(limit => ({
    id: `${limit} addresses`,
    request: post('Addresses', JSON.stringify({ limit })),
    ...wrong,
    says: 'limit: expected a whole number from 1 to 10000',
  })),
  {
    id: 'addresses before the first',
    request: post('Addresses', '{"offset":-1}'),
    ...wrong,
    says: /^offset: expected/,
  },
  {
    id: 'more mistakes than anybody wants to read',
    request: post(
      'Peers',
      JSON.stringify(Object.fromEntries(Array.from({ length: 999 }, (_, i) => [`f${i}`, i]))),
    ),
    ...wrong,
    says: /^unknown field ("f\d+"(, )?){8}$/,
  },
  {
    id: 'a deep nest',
    request: post('Peers', `${'['.repeat(30_000)}${']'.repeat(30_000)}`),
    ...wrong,
    says: 'expected a JSON object',
  },
  {
    id: 'a body one byte over the limit',
    request: post('Ban', banOf(LIMIT_BYTES + 1)),
    status: 429,
    code: 'resource_exhausted',
    says: 'the body is longer than 65536 bytes',
    header: ['connection', 'close'],
  },
  {
    id: 'a body over the limit that does not say so',
    request: chunked('Ban', ...(banOf(LIMIT_BYTES + 1).match(/.{1,10000}/g) as string[])),
    status: 429,
    code: 'resource_exhausted',
    says: 'the body is longer than 65536 bytes',
    header: ['connection', 'close'],
  },
  {
    id: 'a body that announces more than anybody has',
    request: post('Ban', '{}', { 'content-length': '9007199254740991' }),
    status: 429,
    code: 'resource_exhausted',
    says: 'the body is longer than 65536 bytes',
  },
  {
    id: 'a header over the limit',
    request: post('Peers', '{}', { 'x-long': 'x'.repeat(9_000) }),
    status: 431,
    code: 'resource_exhausted',
    says: 'the headers are too long',
  },
  {
    id: 'a length that is no number',
    request: post('Peers', '{}', { 'content-length': '2x' }),
    ...wrong,
    says: 'this is not HTTP/1.1',
  },
  {
    id: 'two lengths of the body',
    request: chunked('Peers', '{}').replace('transfer-encoding', 'content-length: 2\r\ntransfer-encoding'),
    ...wrong,
    says: 'this is not HTTP/1.1',
  },
  {
    id: 'the preface of HTTP/2',
    request: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    ...wrong,
    says: 'this is not HTTP/1.1',
  },
  {
    id: 'a handshake of TLS',
    request: Buffer.from('16030100c8010000c40303', 'hex'),
    ...wrong,
    says: 'this is not HTTP/1.1',
  },
]

describe('a request', { timeout: TIMEOUT_MS }, () => {
  let folder = ''
  let control: Control
  const node = new FakeNode()

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'floodgate-api-'))
    control = await serve(node, folder)
  })
  after(async () => {
    await control.close()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const { id, request, status, code, says, header } of mistakes) {
    it(`is refused: ${id}`, async () => {
      const answer = await callRaw(control.path, request)
      const body = answer?.body as { code: string; message: string }
      assert.deepEqual([answer?.status, body.code, Object.keys(body)], [status, code, ['code', 'message']])
      if (typeof says === 'string') assert.equal(body.message, says)
      else assert.match(body.message, says)
      if (header !== undefined) assert.equal(answer?.headers[header[0]], header[1])
    })
  }

  it('that is refused does nothing', () => assert.deepEqual([node.asked, node.bans()], [[], []]))

  const fine: { id: string; request: string; body: unknown }[] = [
    {
      id: 'with all that the protocol allows',
      request: post('Peers', ' {\n} ', {
        'content-type': 'application/json; charset=utf-8',
        'content-encoding': 'identity',
        'connect-protocol-version': '1',
        'connect-timeout-ms': '20000',
      }),
      body: { peers: [] },
    },
    { id: 'in chunks', request: chunked('Unban', '{"target":', '"192.0.2.1"}'), body: { removed: false } },
    {
      id: 'as long as is allowed',
      request: post('Unban', `{"target":"192.0.2.1"${' '.repeat(LIMIT_BYTES - 23)}}`),
      body: { removed: false },
    },
  ]
  for (const { id, request, body } of fine) {
    it(`is answered: ${id}`, async () => {
      const answer = await callRaw(control.path, request)
      assert.deepEqual([answer?.status, answer?.body], [200, body])
    })
  }

  it('byte for byte, and one after another on the same connection', async () => {
    const raw = new Raw(control.path)
    const request = connect(JSON.stringify({ address: '/ip4/192.0.2.1/tcp/1' }))
    for (const byte of request) {
      raw.send(byte)
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.deepEqual((await raw.answer())?.body, { peer: OTHER_PEER })
    raw.send(post('Bans', '{"all":true}'))
    assert.equal((await raw.answer())?.status, 400)
    raw.send(post('Bans', '{}') + post('Peers', '{}'))
    assert.deepEqual((await raw.answer())?.body, { bans: [] })
    assert.deepEqual((await raw.answer())?.body, { peers: [] })
    raw.socket.destroy()
  })

  it('is answered although the client has closed its side', async () => {
    const raw = new Raw(control.path)
    raw.socket.end(post('Peers', '{}'))
    assert.deepEqual((await raw.answer())?.body, { peers: [] })
    await raw.closed
  })
})
