/**
 * `floodgate start` and `floodgate ping` as real processes.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const DEADLINE_MS = 60_000
const LOCAL = ['--preset', 'local', '--log-level', 'warn']

let folder = ''
const running = new Set<ChildProcess>()

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'floodgate-start-'))
})

after(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

class Cli {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output = ''

  constructor(...args: string[]) {
    // A folder without a floodgate.yaml, so that only these arguments count.
    this.child = spawn(process.execPath, [MAIN, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(this.child)
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.child.emit('output')
      })
    }
    this.ended = once(this.child, 'close').then(([code]) => {
      running.delete(this.child)
      return code as number | null
    })
  }

  /** Waits for a text; the process must not end before it. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output)
      if (found !== null) return found
      const event = await Promise.race([once(this.child, 'output'), this.ended.then(() => 'ended')])
      if (event === 'ended' && !pattern.test(this.output))
        assert.fail(`ended without ${pattern}:\n${this.output}`)
    }
  }
}

describe('floodgate start', { timeout: 4 * DEADLINE_MS }, () => {
  test('banner, a ping from outside, a second process on the same folder, an orderly end', async () => {
    const data = join(folder, 'one')
    const node = new Cli(
      'start',
      ...LOCAL,
      '--data-dir',
      data,
      '--set',
      'topics.tx={}',
      '--status-every',
      '0.2',
    )
    const [, address = ''] = await node.says(/address {4}(\S+)/)
    await node.says(/ready/)
    assert.match(node.output, /peer id {4}12D3KooW/)
    assert.match(node.output, /relay .*tx/)
    assert.equal(statSync(join(data, 'identity.key')).mode & 0o777, 0o600)
    await node.says(/peers 0 \(0 in, 0 out\).*tx: 0 accepted/)

    const ping = new Cli('ping', '--count', '2', '--json', address)
    assert.equal(await ping.ended, 0, ping.output)
    const { peer, rttMs } = JSON.parse(ping.output)
    assert.ok(address.endsWith(peer))
    assert.equal(rttMs.length, 2)

    const second = new Cli('start', ...LOCAL, '--data-dir', data)
    assert.equal(await second.ended, 1)
    assert.match(second.output, /another process uses the data folder/)

    node.child.kill('SIGINT')
    assert.equal(await node.ended, 0)
    assert.match(node.output, /stopped\n$/)

    const id = new Cli('id', '--data-dir', data)
    assert.equal(await id.ended, 0)
    assert.equal(id.output.trim(), peer)
  })

  test('told to end while it starts: exit code 0, and nothing is left open', async () => {
    // Reading a FIFO that nobody writes to holds the start.
    const fifo = join(folder, 'fifo')
    await once(spawn('mkfifo', [fifo]), 'close')
    const data = join(folder, 'two')
    const node = new Cli(
      'start',
      ...LOCAL,
      '--data-dir',
      data,
      '--set',
      `bootstrapFile=${fifo}`,
      '--set',
      'watchdog.slowStartMs=200',
    )
    await node.says(/the bootstrap file.*still starting/)
    node.child.kill('SIGTERM')
    // Only now does the file end: the start goes on, and finds that it is over.
    writeFileSync(fifo, '{}')
    assert.equal(await node.ended, 0, node.output)
    assert.doesNotMatch(node.output, /ready/)

    const again = new Cli('start', ...LOCAL, '--data-dir', data)
    await again.says(/ready/)
    again.child.kill('SIGTERM')
    assert.equal(await again.ended, 0)
  })

  test('a second signal kills it, whatever hangs', async () => {
    const fifo = join(folder, 'fifo-2')
    await once(spawn('mkfifo', [fifo]), 'close')
    const node = new Cli(
      'start',
      ...LOCAL,
      '--data-dir',
      join(folder, 'three'),
      '--set',
      `bootstrapFile=${fifo}`,
      '--set',
      'watchdog.slowStartMs=200',
    )
    await node.says(/still starting/)
    node.child.kill('SIGINT')
    const timer = setInterval(() => node.child.kill('SIGINT'), 100)
    await node.ended
    clearInterval(timer)
    assert.equal(node.child.signalCode, 'SIGKILL')
  })

  const mistakes: { id: string; args: string[]; code: number; says: RegExp }[] = [
    { id: 'an unknown command', args: ['strat'], code: 2, says: /Did you mean start\?/ },
    {
      id: 'an unknown key',
      args: ['start', '--set', 'gossip.degre=3'],
      code: 2,
      says: /gossip\.degre.*degree/s,
    },
    {
      id: 'a bad address to listen on',
      args: ['start', ...LOCAL, '--listen', '/ip4/nowhere'],
      code: 1,
      says: /no multiaddr/,
    },
    { id: 'an address to ping that is none', args: ['ping', 'nonsense'], code: 1, says: /no multiaddr/ },
    {
      id: 'nobody there',
      args: ['ping', '/ip4/127.0.0.1/tcp/1'],
      code: 1,
      says: /cannot reach .*ECONNREFUSED/,
    },
    {
      id: 'a bad count',
      args: ['ping', '--count', '0', '/ip4/127.0.0.1/tcp/1'],
      code: 2,
      says: /from 1 to 1000/,
    },
  ]
  for (const { id, args, code, says } of mistakes) {
    test(`${id}: exit code ${code}`, async () => {
      const cli = new Cli(...args)
      assert.equal(await cli.ended, code, cli.output)
      assert.match(cli.output, says)
    })
  }
})
