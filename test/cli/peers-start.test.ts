/**
 * The operator's commands against real nodes, as `floodgate start` runs them.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { addrCommand } from '../../src/cli/addr.ts'
import { banCommand } from '../../src/cli/ban.ts'
import { peersCommand } from '../../src/cli/peers.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const COMMANDS = { peers: peersCommand, ban: banCommand, addr: addrCommand }

let cwd = ''
const running = new Set<ChildProcess>()

before(() => {
  cwd = mkdtempSync(join(tmpdir(), 'floodgate-operator-'))
})
after(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(cwd, { recursive: true, force: true })
})

interface Started {
  readonly child: ChildProcess
  readonly address: string
  readonly peer: string
  /** What it has written to standard error. */
  readonly said: readonly string[]
}

/** Starts a node, and answers it and its address when it is ready. */
async function start(dataDir: string): Promise<Started> {
  const args = [MAIN, 'start', '--preset', 'local', '--log-level', 'error', '--data-dir', dataDir]
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const said: string[] = []
  child.stderr.setEncoding('utf8').on('data', text => said.push(text))
  let output = ''
  for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    output += text
    if (/^ready/m.test(output)) break
  }
  child.stdout.resume()
  const [, address = '', peer = ''] = /^address +(\S+\/p2p\/(\S+))$/m.exec(output) ?? []
  assert.notEqual(address, '', `${output}${said.join('')}`)
  return { child, address, peer, said }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const closed = once(child, 'close')
  child.kill(signal)
  await closed
  running.delete(child)
}

async function run(dataDir: string, name: keyof typeof COMMANDS, ...words: string[]): Promise<string> {
  let printed = ''
  const stdout = { write: (text: string) => (printed += text) }
  const command = COMMANDS[name]({ env: {}, cwd, stdout })
  // A group hands its options on to the sub-command, so they stand at the end.
  await command.parseAsync([...words, '--data-dir', dataDir], { from: 'user' })
  return printed
}

interface Shown {
  readonly peer: string
  readonly direction: string
  readonly role: string
}

const peersOf = async (dataDir: string): Promise<Shown[]> =>
  JSON.parse(await run(dataDir, 'peers', 'ls', '--json'))

describe('an operator', { timeout: 120_000 }, () => {
  it('connects, bans, unbans and disconnects, and the node comes back after kill -9', async () => {
    const [a, b] = await Promise.all([start('a'), start('b')])
    const socket = join(cwd, 'a', 'floodgate.sock')
    assert.equal(statSync(socket).mode & 0o777, 0o600)
    assert.deepEqual(await peersOf('a'), [])

    assert.equal(await run('a', 'peers', 'connect', b.address), `connected to ${b.peer}\n`)
    const [seen] = await peersOf('a')
    assert.deepEqual([seen?.peer, seen?.direction, seen?.role], [b.peer, 'outbound', 'manual'])
    // The other side may learn of it a moment later.
    let there: Shown[] = []
    while (there.length === 0) there = await peersOf('b')
    assert.deepEqual([there[0]?.peer, there[0]?.direction], [a.peer, 'inbound'])
    let book: { peer?: string }[] = []
    while (book.length === 0) book = JSON.parse(await run('a', 'addr', 'ls', '--tried', '--json')).addresses
    assert.equal(book[0]?.peer, b.peer)
    assert.match(await run('a', 'addr', 'stats'), /^1 of 256 buckets in use, 0 full$/m)

    await run('a', 'ban', 'add', b.peer.slice(-8), '--reason', 'a test')
    assert.match(await run('a', 'ban', 'ls'), new RegExp(`^${b.peer} .* a test$`, 'm'))
    while ((await peersOf('a')).length > 0);
    await assert.rejects(run('a', 'peers', 'connect', b.address), {
      name: 'FloodgateError',
      message: /banned/,
    })
    await run('a', 'ban', 'rm', b.peer)
    await run('a', 'peers', 'connect', b.address)
    assert.equal(await run('a', 'peers', 'disconnect', b.peer.slice(-8)), `disconnected ${b.peer}\n`)
    while ((await peersOf('a')).length > 0);

    await end(a.child, 'SIGKILL')
    assert.equal(existsSync(socket), true)
    await assert.rejects(peersOf('a'), { code: 'NOT_STARTED' })
    const again = await start('a')
    assert.deepEqual(await peersOf('a'), [])
    await end(again.child, 'SIGTERM')
    assert.deepEqual([again.child.exitCode, existsSync(socket)], [0, false])
    await end(b.child, 'SIGTERM')
    assert.deepEqual([...a.said, ...b.said, ...again.said], [])
  })

  it('cannot reach a node whose folder has no room for the socket; the node runs, and says so', async () => {
    mkdirSync(join(cwd, 'c', 'floodgate.sock'), { recursive: true })
    const { child, said } = await start('c')
    await assert.rejects(peersOf('c'), { code: 'NOT_STARTED' })
    await end(child, 'SIGTERM')
    assert.equal(child.exitCode, 0)
    assert.match(said.join(''), /^floodgate: \S+floodgate\.sock is in the way: it is no socket; `peers`, /)
  })
})
