/**
 * Nodes in processes of their own: for what one process cannot show, such as everything that a node writes to standard
 * error, two nodes on one data folder, and the death of one.
 */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { NodeConfig } from '../../../src/index.ts'
import { until } from './until.ts'

const PROGRAM = fileURLToPath(new URL('node-process.ts', import.meta.url))

/** A process takes long to start on a busy machine. */
const DEADLINE_MS = 30_000

export class NodeProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  output = ''
  log = ''

  constructor(config: NodeConfig, dial?: string) {
    const args = [PROGRAM, JSON.stringify(config), ...(dial === undefined ? [] : [dial])]
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text
    })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.log += text
    })
  }

  /** Waits until it has printed a line that matches. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    await this.#until(`its output has ${pattern}`, () => pattern.test(this.output))
    return pattern.exec(this.output) as RegExpExecArray
  }

  /** Waits until it has logged something that matches. */
  async logs(pattern: RegExp): Promise<void> {
    await this.#until(`its log has ${pattern}`, () => pattern.test(this.log))
  }

  /** The address that it listens on. */
  async ready(): Promise<string> {
    return (await this.says(/^ready (\S+)$/m))[1] ?? ''
  }

  /** Asks it to stop, and waits until it has ended. */
  async stop(): Promise<void> {
    this.child.stdin.end()
    await this.ended()
    assert.match(this.output, /^stopped$/m)
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended()
  }

  async ended(): Promise<void> {
    await this.#until('it has ended', () => this.child.exitCode !== null || this.child.signalCode !== null)
  }

  /** What it has logged, a record a line. */
  records(): Record<string, unknown>[] {
    const lines = this.log.split('\n').filter(line => line !== '')
    return lines.map(line => JSON.parse(line))
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    try {
      await until(what, condition, DEADLINE_MS)
    } catch (error) {
      assert.fail(`${(error as Error).message}\noutput: ${this.output}\nlog: ${this.log.slice(-4_000)}`)
    }
  }
}

/** Starts a node in a process of its own; it is killed with its test, if it has not ended before. */
export function spawnNode(t: TestContext, config: NodeConfig, dial?: string): NodeProcess {
  const node = new NodeProcess(config, dial)
  t.after(async () => {
    if (node.child.exitCode !== null || node.child.signalCode !== null) return
    node.child.kill('SIGKILL')
    await once(node.child, 'close')
  })
  return node
}
