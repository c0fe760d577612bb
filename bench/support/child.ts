/**
 * A child process that answers one line of JSON on stdout to each line of JSON on stdin.
 *
 * It ends when its stdin closes, so it cannot outlive its parent; `stop` closes stdin, waits, and then kills.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** How long a child may take to leave by itself, for example to write a profile. */
const LEAVE_MS = 10_000

export class Child {
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>
  readonly #name: string

  /**
   * @param nodeArgs the options of Node, the script and its arguments
   * @param wrapper what stands before the command, for example to run it on another host
   */
  constructor(name: string, nodeArgs: readonly string[], wrapper: readonly string[] = []) {
    this.#name = name
    const [command = process.execPath, ...args] = [...wrapper, process.execPath, ...nodeArgs]
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const { stdout } = this.#process
    if (stdout === null) throw new Error('the child was spawned without a pipe for stdout')
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]()
    // A child that died is noticed by `answer`, as the end of its stdout.
    this.#process.stdin?.on('error', () => {})
  }

  /** The next line that the child prints, parsed. Rejects when the child ends instead. */
  async answer<T>(): Promise<T> {
    const { value, done } = await this.#answers.next()
    if (done === true) throw new Error(`${this.#name} ended before it answered`)
    return JSON.parse(value)
  }

  async ask<T>(request: unknown): Promise<T> {
    this.#process.stdin?.write(`${JSON.stringify(request)}\n`)
    return this.answer()
  }

  async stop(): Promise<void> {
    const child = this.#process
    if (child.exitCode !== null || child.signalCode !== null) return
    const killer = setTimeout(() => child.kill('SIGKILL'), LEAVE_MS)
    child.stdin?.end()
    await once(child, 'exit')
    clearTimeout(killer)
  }
}

/** The child's side: answers each line of stdin, and ends the process when stdin closes, whatever is under way. */
export async function serveLines(handle: (request: unknown) => Promise<unknown>): Promise<void> {
  const lines = createInterface({ input: process.stdin }).on('close', () => process.exit(0))
  for await (const line of lines) printLine(await handle(JSON.parse(line)))
}

export function printLine(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
