/**
 * `floodgate cluster-node`: one node of a cluster, in its own process. Hidden: only `floodgate cluster` starts it.
 *
 * Rules:
 * - It lives exactly as long as its standard input. The kernel closes that when the cluster dies, even by kill -9,
 *   so no node outlives its cluster. It ends in order within `END_MS`, or at once after that.
 * - SIGINT is not its business: ^C is the cluster's, which ends its nodes when it has their last reports.
 * - Standard output belongs to the talk with the cluster. `console.log` of a user's module goes to standard error.
 */
import { Console } from 'node:console'
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Command } from 'commander'
import { ClusterNode } from './cluster-node.ts'
import { LineSplitter } from './lines.ts'
import {
  type CommandName,
  decodeLine,
  encodeLine,
  LINE_MAX_BYTES,
  type Line,
  type NodeSetup,
  type Started,
} from './protocol.ts'

/** How long a node may take to end in order. */
const END_MS = 5_000

/** What may wait for a cluster that does not read; beyond it something is badly wrong, and the node ends. */
const OUTPUT_MAX_BYTES = 64 * 1_024 * 1_024

class ClusterNodeProcess {
  #node: ClusterNode | undefined
  #setup: NodeSetup | undefined
  /** Resolves when the start has ended, well or not. */
  #starting: Promise<void> | undefined
  #ending = false

  run(): void {
    globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr })
    process.on('SIGINT', () => {})
    process.on('SIGTERM', () => void this.#end(0))
    process.on('SIGHUP', () => void this.#end(0))
    process.on('uncaughtException', error => this.#fail(error))
    process.on('unhandledRejection', error => this.#fail(error))
    const splitter = new LineSplitter(LINE_MAX_BYTES)
    process.stdin.on('data', (chunk: Buffer) => {
      for (const bytes of splitter.push(chunk)) this.#obey(decodeLine(bytes))
    })
    for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => void this.#end(0))
    process.stdout.on('error', () => void this.#end(0))
  }

  #obey(line: Line | undefined): void {
    if (line === undefined || !('do' in line)) return
    const { ref } = line
    this.#execute(line.do, line.with).then(
      answer => this.#write({ ref, answer }),
      (error: unknown) => this.#write({ ref, error: error instanceof Error ? error.message : String(error) }),
    )
  }

  async #execute(name: CommandName, withIt: unknown): Promise<unknown> {
    if (name === 'stop') {
      setImmediate(() => void this.#end(0))
      return null
    }
    if (name === 'start') {
      const starting = this.#start(withIt as NodeSetup)
      this.#starting = starting.then(
        () => {},
        () => {},
      )
      return await starting
    }
    if (this.#node === undefined) throw new Error(`"${name}" came before "start"`)
    return await this.#node.execute(name, withIt)
  }

  async #start(setup: NodeSetup): Promise<Started> {
    // What was made now would not be removed any more.
    if (this.#ending) throw new Error('the node was ended before it started')
    this.#setup = setup
    // With the folder of the whole run, which holds the keys of all nodes.
    await mkdir(setup.dataDir, { recursive: true, mode: 0o700 })
    this.#node = await ClusterNode.create(setup, {
      report: report => this.#write({ report }),
      fail: error => this.#fail(error),
    })
    if (this.#ending) throw new Error('the node was ended while it started')
    return await this.#node.start()
  }

  #write(line: Line): void {
    if (this.#ending && 'report' in line) return
    process.stdout.write(encodeLine(line))
    if (process.stdout.writableLength > OUTPUT_MAX_BYTES) this.#fail(new Error('the cluster does not read'))
  }

  #fail(error: unknown): void {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    void this.#end(1)
  }

  async #end(code: number): Promise<void> {
    if (this.#ending) return
    this.#ending = true
    process.exitCode = code
    // Whatever hangs: a data folder left behind is better than a process left behind.
    setTimeout(() => process.exit(1), END_MS)
    try {
      await this.#node?.stop()
      // A start that is under way would make the folder anew.
      await this.#starting
      await this.#removeData()
    } catch (error) {
      process.stderr.write(`${String(error)}\n`)
      process.exitCode = 1
    }
    // The answer to "stop" may still be on its way out. A write is called back also when nobody is left to read.
    process.stdout.write('\n', () => process.exit())
  }

  async #removeData(): Promise<void> {
    if (this.#setup?.removeDataDir !== true) return
    await rm(this.#setup.dataDir, { recursive: true, force: true })
    // The folder of the whole run goes with its last node, if the cluster is not there to remove it.
    await rmdir(dirname(this.#setup.dataDir)).catch(() => {})
  }
}

/** Its action returns at once; the process then lives until standard input ends. */
export function clusterNodeCommand(): Command {
  return new Command('cluster-node')
    .description('One node of a cluster; only "floodgate cluster" can talk to it')
    .action(() => new ClusterNodeProcess().run())
}
