/**
 * One node of the cluster, as seen from the cluster: a process of its own in a process group of its own.
 *
 * Rules:
 * - Its own group, so that ^C on a terminal reaches the cluster alone, which then ends the nodes in order, and so
 *   that a kill reaches everything a wrapper has started.
 * - Every command has a deadline, and the error says which node and what it was asked.
 * - When the process ends, whatever it owed an answer to fails at once with the reason and its last log lines.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LineSplitter } from './lines.ts'
import {
  type CommandName,
  type Commands,
  decodeLine,
  encodeLine,
  LINE_MAX_BYTES,
  type Report,
  type Started,
} from './protocol.ts'
import { Tail } from './tail.ts'
import { wordsFor } from './words.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The process could not be started at all. */
  readonly error?: string
}

/** A node died, or did not answer in time. */
export class NodeFailure extends Error {
  override readonly name = 'NodeFailure'
}

export interface NodeProcessHooks {
  report(report: Report): void
  /** The process has ended, for whatever reason. */
  exited(exit: Exit): void
}

interface Pending {
  resolve(answer: unknown): void
  reject(error: Error): void
  readonly timer: NodeJS.Timeout
}

export class NodeProcess {
  /** From 0, its place in the cluster; people see it counted from 1. */
  readonly node: number
  /** What the node said of itself once it had started. */
  started: Started | undefined
  readonly exited: Promise<Exit>
  readonly #process: ChildProcessWithoutNullStreams
  readonly #hooks: NodeProcessHooks
  readonly #tail = new Tail()
  readonly #pending = new Map<number, Pending>()
  readonly #splitter = new LineSplitter(LINE_MAX_BYTES)
  #nextRef = 1
  #exit: Exit | undefined

  /** `wrapper`: the words of `--exec`, in front of the node's own command line. */
  constructor(node: number, wrapper: readonly string[], hooks: NodeProcessHooks) {
    this.node = node
    this.#hooks = hooks
    const [file = '', ...args] = [...wordsFor(wrapper, node + 1), ...commandLine()]
    this.#process = spawn(file, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process.stdout.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => this.#tail.push(text))
    // A node that is gone closes its end; its exit says why, this only says that it is gone.
    this.#process.stdin.on('error', () => {})
    this.exited = new Promise(resolve => {
      const end = (exit: Exit): void => {
        if (this.#exit !== undefined) return
        this.#exit = exit
        this.#failPending(new NodeFailure(this.describeExit()))
        this.#hooks.exited(exit)
        resolve(exit)
      }
      this.#process.once('error', error => end({ code: null, signal: null, error: error.message }))
      // `close` comes after the last byte of both outputs, so the tail is complete.
      this.#process.once('close', (code, signal) => end({ code, signal }))
    })
  }

  get name(): string {
    return `node ${this.node + 1}`
  }

  get alive(): boolean {
    return this.#exit === undefined
  }

  get processId(): number | undefined {
    return this.#process.pid
  }

  /** Sends a command. @throws NodeFailure when the node says no, dies, or does not answer in time */
  request<K extends CommandName>(
    name: K,
    withIt: Commands[K]['with'],
    timeoutMs: number,
  ): Promise<Commands[K]['answer']> {
    if (!this.alive) return Promise.reject(new NodeFailure(this.describeExit()))
    const ref = this.#nextRef
    this.#nextRef += 1
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(ref)
        reject(new NodeFailure(`${this.name} did not answer "${name}" within ${timeoutMs / 1_000} s`))
      }, timeoutMs)
      this.#pending.set(ref, { resolve: answer => resolve(answer as Commands[K]['answer']), reject, timer })
      this.#process.stdin.write(encodeLine({ ref, do: name, with: withIt }))
    })
  }

  /** The last lines that it logged, oldest first. */
  logged(): string[] {
    return this.#tail.lines()
  }

  /** How it ended, for people; only once it has. */
  describeExit(): string {
    const { code, signal, error } = this.#exit ?? { code: null, signal: null }
    if (error !== undefined) return `${this.name} could not be started: ${error}`
    return `${this.name} died (${signal === null ? `exit code ${code}` : `signal ${signal}`})`
  }

  /** Takes away its standard input: the order to end that even a broken talk can't garble. */
  closeInput(): void {
    this.#process.stdin.end()
  }

  /** Kills its whole process group; one that is gone is fine. */
  kill(): void {
    const group = this.#process.pid
    if (group === undefined || !this.alive) return
    try {
      process.kill(-group, 'SIGKILL')
    } catch {
      // Between its end and the event that tells us so.
    }
  }

  #read(chunk: Buffer): void {
    try {
      for (const bytes of this.#splitter.push(chunk)) this.#receive(bytes)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#tail.push(`${error.message}\n`)
      this.kill()
    }
  }

  #receive(bytes: Uint8Array): void {
    const line = decodeLine(bytes)
    if (line === undefined) this.#tail.push(`${Buffer.from(bytes).toString()}\n`)
    else if ('report' in line) this.#hooks.report(line.report)
    else if (!('do' in line)) this.#settle(line.ref, line)
  }

  #settle(ref: number, line: { answer?: unknown; error?: string }): void {
    const pending = this.#pending.get(ref)
    if (pending === undefined) return
    this.#pending.delete(ref)
    clearTimeout(pending.timer)
    if (line.error === undefined) pending.resolve(line.answer)
    else pending.reject(new NodeFailure(`${this.name}: ${line.error}`))
  }

  #failPending(error: NodeFailure): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer)
      reject(error)
    }
    this.#pending.clear()
  }
}

/** This program again, from the sources or from the build, whichever is running. */
function commandLine(): string[] {
  const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url))
  // A debugger's port is taken by us.
  const flags = process.execArgv.filter(flag => !flag.startsWith('--inspect'))
  return [process.execPath, ...flags, main, 'cluster-node']
}
