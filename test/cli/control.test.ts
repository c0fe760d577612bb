/**
 * The client of the control socket, against servers that are not what it expects.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { listenOn, socketPath } from '../../src/api/socket.ts'
import { callerOf } from '../../src/cli/control.ts'

describe('a call', { timeout: 30_000 }, () => {
  let folder = ''
  let server: Server | undefined

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'floodgate-control-'))
  })
  afterEach(() => server?.close())
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** Asks a server that answers every request with these bytes. */
  const ask = async (answer: string): Promise<unknown> => {
    server = createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(answer))
    })
    await listenOn(server, socketPath(folder))
    return await callerOf({ dataDir: folder }, { env: {}, cwd: folder, stdout: { write() {} } })('Unban', {
      target: '192.0.2.1',
    })
  }
  const http = (status: number, body: string): string =>
    `HTTP/1.1 ${status} X\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  const failure = (code: string): string => JSON.stringify({ code, message: 'because', details: [] })

  it('takes a missing field for its zero, and passes over unknown ones', async () => {
    assert.deepEqual(await ask(http(200, '{}')), { removed: false })
  })

  const cases: { id: string; answer: string; code: string; message: RegExp }[] = [
    {
      id: 'hangs up',
      answer: '',
      code: 'PROTOCOL',
      message: /^the node closed the connection: socket hang up$/,
    },
    {
      id: 'is no HTTP',
      answer: 'SSH-2.0\r\n\r\n',
      code: 'PROTOCOL',
      message: /^the node closed the connection/,
    },
    {
      id: 'breaks off',
      answer: http(200, '{"removed":true}').slice(0, -3),
      code: 'PROTOCOL',
      message: /^the node closed the connection: aborted$/,
    },
    { id: 'is no JSON', answer: http(200, 'hello'), code: 'PROTOCOL', message: /does not understand$/ },
    {
      id: 'is of another shape',
      answer: http(200, '{"removed":1}'),
      code: 'PROTOCOL',
      message: /does not understand$/,
    },
    {
      id: 'fails without saying why',
      answer: http(502, '<html>'),
      code: 'PROTOCOL',
      message: /^the node answered with the HTTP status 502$/,
    },
    {
      id: 'fails with an unknown code',
      answer: http(500, failure('later')),
      code: 'PROTOCOL',
      message: /^because$/,
    },
    {
      id: 'fails with a code that every object has',
      answer: http(500, failure('constructor')),
      code: 'PROTOCOL',
      message: /^because$/,
    },
    {
      id: 'fails without a message',
      answer: http(404, '{"code":"not_found"}'),
      code: 'NO_PEER',
      message: /^not_found$/,
    },
    {
      id: 'fails with what a terminal would obey',
      answer: http(503, '{"code":"unavailable","message":"\\u001b[2J"}'),
      code: 'DIAL',
      message: /^\\u\{1b\}\[2J$/,
    },
    {
      id: 'has a bad argument',
      answer: http(400, failure('invalid_argument')),
      code: 'ARGUMENT',
      message: /^because$/,
    },
    {
      id: 'is denied',
      answer: http(400, failure('failed_precondition')),
      code: 'DENIED',
      message: /^because$/,
    },
    {
      id: 'is too much',
      answer: http(429, failure('resource_exhausted')),
      code: 'BUSY',
      message: /^because$/,
    },
    { id: 'is late', answer: http(504, failure('deadline_exceeded')), code: 'TIMEOUT', message: /^because$/ },
  ]
  for (const { id, answer, code, message } of cases) {
    it(`whose answer ${id}: ${code}`, async () => {
      await assert.rejects(ask(answer), { name: 'FloodgateError', code, message })
    })
  }

  const silences = { nothing: '', 'half of its answer': http(200, '{"removed":true}').slice(0, -3) }
  for (const [id, begin] of Object.entries(silences)) {
    it(`to a node that says ${id} and then is silent`, async () => {
      server = createServer(socket => {
        socket.on('error', () => {})
        socket.write(begin)
      })
      await listenOn(server, socketPath(folder))
      const context = { env: {}, cwd: folder, stdout: { write() {} } }
      const call = callerOf({ dataDir: folder }, context, 50)
      await assert.rejects(call('Peers', {}), { code: 'TIMEOUT', message: 'the node does not answer' })
    })
  }

  it('with a file in place of the socket', async () => {
    const context = { env: {}, cwd: folder, stdout: { write() {} } }
    const file = join(folder, 'file')
    writeFileSync(file, '')
    await assert.rejects(callerOf({ dataDir: file }, context)('Peers', {}), { code: 'NOT_STARTED' })
    writeFileSync(socketPath(folder), '')
    await assert.rejects(callerOf({ dataDir: folder }, context)('Peers', {}), { code: 'NOT_STARTED' })
  })
})
