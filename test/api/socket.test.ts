import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { connectTo, listenOn, removeSocket, socketPath } from '../../src/api/socket.ts'

describe('the control socket', { timeout: 30_000 }, () => {
  let folder = ''
  let path = ''
  const servers: Server[] = []

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'floodgate-socket-'))
    path = socketPath(folder)
  })
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A server that greets, so that a client can tell whom it has reached. */
  const greeting = (text: string): Server => {
    // Who only looks whether somebody is here does not read the greeting: that is an error of this connection.
    const server = createServer(socket => socket.on('error', () => {}).end(text))
    servers.push(server)
    return server
  }
  const greetingAt = async (where: string): Promise<string> => {
    const socket = await connectTo(where)
    const parts = await socket.setEncoding('utf8').toArray()
    return parts.join('')
  }
  /** A socket whose process was killed. */
  const deadSocket = async (): Promise<void> => {
    const script = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, 9))'
    await once(spawn(process.execPath, ['-e', script, path]), 'close')
    assert.equal(lstatSync(path).isSocket(), true)
  }

  it('is a file that only its owner may use, whatever the umask', async () => {
    const before = process.umask(0)
    try {
      await listenOn(greeting('here'), path)
      assert.equal(process.umask(0), 0, 'the umask of the process is as it was')
    } finally {
      process.umask(before)
    }
    assert.equal(path, join(folder, 'floodgate.sock'))
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(await greetingAt(path), 'here')
    servers[0]?.close()
    removeSocket(path)
    removeSocket(path)
    assert.deepEqual(readdirSync(folder), [])
  })

  it('replaces one that a dead process has left', async () => {
    await deadSocket()
    await assert.rejects(connectTo(path), { code: 'ECONNREFUSED' })
    await listenOn(greeting('the second'), path)
    assert.equal(await greetingAt(path), 'the second')
  })

  it('leaves a live one alone', async () => {
    await listenOn(greeting('the first'), path)
    await assert.rejects(listenOn(greeting('the second'), path), { code: 'IN_USE' })
    assert.equal(await greetingAt(path), 'the first')
  })

  it('leaves alone what is no socket', async () => {
    writeFileSync(path, 'mine')
    await assert.rejects(listenOn(greeting('here'), path), { code: 'LISTEN', message: /is no socket$/ })
    assert.equal(readFileSync(path, 'utf8'), 'mine')
  })

  it('says so when the folder cannot have one', async () => {
    const umask = process.umask()
    const missing = socketPath(join(folder, 'missing'))
    await assert.rejects(listenOn(greeting('here'), missing), { code: 'LISTEN', message: /^cannot make/ })
    await assert.rejects(connectTo(missing), { code: 'ENOENT' })
    assert.equal(process.umask(), umask)
  })

  it('may have a path that is longer than the address of a socket', async t => {
    const deep = join(folder, 'x'.repeat(120), 'ü'.repeat(60))
    mkdirSync(deep, { recursive: true })
    const temporary = join(folder, 'temporary')
    mkdirSync(temporary)
    const { TMPDIR } = process.env
    process.env.TMPDIR = temporary
    t.after(() => {
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
    })
    const long = socketPath(deep)
    await listenOn(greeting('down here'), long)
    assert.equal(lstatSync(long).isSocket(), true)
    assert.equal(statSync(long).mode & 0o777, 0o600)
    assert.equal(await greetingAt(long), 'down here')
    await assert.rejects(listenOn(greeting('me too'), long), { code: 'IN_USE' })
    await assert.rejects(connectTo(socketPath(join(deep, 'nowhere'))), { code: 'ENOENT' })
    assert.deepEqual(readdirSync(temporary), [], 'no link is left over')
    servers[0]?.close()
    removeSocket(long)
    assert.equal(existsSync(long), false)
  })

  it('of somebody else cannot be reached', async () => {
    await listenOn(greeting('here'), path)
    // Root may do all, so it becomes nobody for a moment; anyone else loses the right to their own socket.
    const isRoot = process.geteuid?.() === 0
    chmodSync(isRoot ? folder : path, isRoot ? 0o711 : 0)
    if (isRoot) process.seteuid?.(65_534)
    try {
      await assert.rejects(connectTo(path), { code: 'EACCES' })
      await assert.rejects(listenOn(greeting('here'), path), { code: 'LISTEN', message: /EACCES/ })
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })
})
