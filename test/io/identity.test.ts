import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  fstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, mock, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { loadIdentity, temporaryIdentity } from '../../src/io/identity.ts'

const SOURCE = new URL('../../src/io/identity.ts', import.meta.url).href

/** A key that no file of these tests holds otherwise. */
const secret = privateKeyTextOf(await temporaryIdentity())

describe('the identity file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
  after(() => rmSync(folder, { recursive: true }))
  let files = 0
  /** A path where nothing is yet. */
  const newFile = (): string => join(folder, `${files++}`, 'identity.key')

  test('is made once, in the form of other libp2p programs', async () => {
    const file = newFile()
    const made = await loadIdentity(file, { create: true })
    const text = readFileSync(file, 'utf8')
    assert.match(text, /^[A-Za-z0-9+/]+=*\n$/)
    const key = privateKeyFromProtobuf(Buffer.from(text, 'base64'))
    assert.equal(key.type, 'Ed25519')
    assert.equal(peerIdFromPrivateKey(key).toString(), made.peer)

    for (const create of [true, false]) assert.equal((await loadIdentity(file, { create })).peer, made.peer)
    assert.equal(readFileSync(file, 'utf8'), text)
    assert.deepEqual(readdirSync(join(file, '..')), ['identity.key'], 'drafts were left behind')
  })

  test('is not made unless that is asked for', async () => {
    const file = newFile()
    await assert.rejects(loadIdentity(file, { create: false }), {
      code: 'IDENTITY',
      message: /floodgate init/,
    })
    assert.throws(() => statSync(file), { code: 'ENOENT' })
  })

  test('belongs to its owner alone before it has a byte', async t => {
    const opened: { mode: number; size: number }[] = []
    const { open } = fs
    mock.method(fs, 'open', async (...args: Parameters<typeof open>) => {
      const handle = await open(...args)
      const { mode, size } = fstatSync(handle.fd)
      opened.push({ mode: mode & 0o777, size })
      return handle
    })
    const written = mock.method(fs, 'writeFile')
    // The module under test has imported these functions by name.
    syncBuiltinESMExports()
    const umask = process.umask(0)
    t.after(() => {
      process.umask(umask)
      mock.restoreAll()
      syncBuiltinESMExports()
    })
    const file = newFile()
    await loadIdentity(file, { create: true })
    assert.deepEqual(opened, [{ mode: 0o600, size: 0 }])
    assert.equal(written.mock.callCount(), 0, 'the file was written in another way than the test looks at')
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  test('is the same for all that begin together, a little sooner or later', async () => {
    for (let round = 0; round < 20; round++) {
      const file = newFile()
      const makers = Array.from({ length: 10 }, async (_, turns) => {
        for (let turn = 0; turn < turns; turn++) await nextTurn()
        return await loadIdentity(file, { create: true })
      })
      const made = await Promise.all(makers)
      assert.equal(new Set(made.map(({ peer }) => peer)).size, 1)
      assert.deepEqual(readdirSync(join(file, '..')), ['identity.key'])
    }
  })

  test('is the same for two processes that begin at once', { timeout: 60_000 }, async () => {
    const file = newFile()
    const program = `
      const { loadIdentity } = await import(${JSON.stringify(SOURCE)})
      process.stdout.write('.')
      for await (const _ of process.stdin) break
      console.log((await loadIdentity(${JSON.stringify(file)}, { create: true })).peer)`
    const processes = [1, 2].map(() =>
      spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] }),
    )
    const outputs = ['', '']
    await Promise.all(
      processes.map(async (child, index) => {
        child.stdout.on('data', text => {
          outputs[index] += text
        })
        await once(child.stdout, 'data')
      }),
    )
    // Both have loaded everything and wait for this.
    for (const child of processes) child.stdin.end('go')
    await Promise.all(processes.map(child => once(child, 'close')))
    assert.match(outputs[0] ?? '', /^\.12D3KooW\w+\n$/)
    assert.equal(outputs[0], outputs[1])
  })

  const damages: { id: string; text: string | Buffer }[] = [
    { id: 'an empty file', text: '' },
    { id: 'half a key', text: secret.slice(0, 48) },
    { id: 'a key with a spoilt byte', text: spoilt(secret) },
    { id: 'no base64', text: '!!!! not a key !!!!' },
    { id: 'bytes', text: Buffer.alloc(200, 0xfe) },
    { id: 'a text', text: 'correct horse battery staple' },
  ]
  for (const { id, text } of damages) {
    test(`that cannot be read is an error, and stays as it is: ${id}`, async () => {
      const file = newFile()
      await fs.mkdir(join(file, '..'))
      writeFileSync(file, text)
      const error = await loadIdentity(file, { create: true }).then(
        () => undefined,
        failure => failure,
      )
      assert.equal(error?.code, 'IDENTITY')
      assert.deepEqual(readFileSync(file), Buffer.from(text))
      // Neither the message, nor a cause, nor the stack may quote the file.
      const shown = inspect(error, { depth: 10, showHidden: true })
      const content = Buffer.from(text).toString()
      if (content !== '') assert.equal(shown.includes(content.slice(0, 12)), false, shown)
    })
  }

  test('that is a folder is an error', async () => {
    const file = newFile()
    await fs.mkdir(file, { recursive: true })
    await assert.rejects(loadIdentity(file, { create: true }), { code: 'IDENTITY' })
  })

  test('that cannot be written is an error', async () => {
    const file = newFile()
    await fs.mkdir(join(file, '..'))
    writeFileSync(join(file, '..', 'not-a-folder'), '')
    const below = join(file, '..', 'not-a-folder', 'identity.key')
    await assert.rejects(loadIdentity(below, { create: true }), { code: 'IDENTITY' })
  })

  const modes: { mode: number; exposed: boolean }[] = [
    { mode: 0o600, exposed: false },
    { mode: 0o400, exposed: false },
    { mode: 0o640, exposed: true },
    { mode: 0o604, exposed: true },
    { mode: 0o666, exposed: true },
  ]
  for (const { mode, exposed } of modes) {
    test(`with mode ${mode.toString(8)} is ${exposed ? 'exposed' : 'not exposed'}`, async () => {
      const file = newFile()
      assert.equal((await loadIdentity(file, { create: true })).exposed, false)
      chmodSync(file, mode)
      assert.equal((await loadIdentity(file, { create: true })).exposed, exposed)
    })
  }
})

describe('a temporary identity', () => {
  test('is another one each time', async () => {
    const [one, other] = await Promise.all([temporaryIdentity(), temporaryIdentity()])
    assert.notEqual(one.peer, other.peer)
    assert.equal(one.peer, peerIdFromPrivateKey(one.privateKey).toString())
    assert.equal(one.exposed, false)
  })
})

/** The text of the identity file for a key: protobuf with the key's type (1, Ed25519) and its 64 bytes. */
function privateKeyTextOf({ privateKey }: Awaited<ReturnType<typeof temporaryIdentity>>): string {
  return Buffer.concat([Buffer.from([0x08, 0x01, 0x12, 0x40]), privateKey.raw]).toString('base64')
}

/** The last byte of the public half is another one, which no longer belongs to the private half. */
function spoilt(text: string): string {
  const bytes = Buffer.from(text, 'base64')
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  return bytes.toString('base64')
}
