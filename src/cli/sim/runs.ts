/**
 * Runs in processes of their own, at most one per core: a simulated world needs the globals of a process to itself.
 *
 * Rules:
 * - Results are told in the order of the seeds, whichever run ends first.
 * - A scenario with a mistake has it in every run: the first that says so ends them all, and is told alone.
 * - When this process ends, so do they: they notice the broken channel.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Order, Word } from './protocol.ts'

/** The last word of a run. */
export type Outcome = Exclude<Word, { kind: 'progress' }>

export interface RunsHooks {
  /** In the order of the seeds. */
  ended(order: Order, outcome: Outcome): void
  /** @param done runs that have ended, with fractions for those under way */
  progress(done: number): void
}

export class Runs {
  readonly #orders: readonly Order[]
  readonly #hooks: RunsHooks
  readonly #outcomes = new Map<number, Outcome>()
  readonly #shares = new Map<number, number>()
  readonly #children = new Set<ChildProcess>()
  #next = 0
  #told = 0

  constructor(orders: readonly Order[], hooks: RunsHooks) {
    this.#orders = orders
    this.#hooks = hooks
  }

  /** Resolves when all runs have ended. */
  async run(): Promise<void> {
    const lanes = Math.min(availableParallelism(), this.#orders.length)
    await Promise.all(Array.from({ length: lanes }, () => this.#lane()))
  }

  kill(): void {
    this.#next = this.#orders.length
    for (const child of this.#children) child.kill('SIGKILL')
  }

  async #lane(): Promise<void> {
    for (;;) {
      const index = this.#next++
      const order = this.#orders[index]
      if (order === undefined) return
      const outcome = await this.#one(index, order)
      if (outcome.kind === 'mistake') return this.#giveUp(order, outcome)
      this.#outcomes.set(index, outcome)
      this.#shares.set(index, 1)
      this.#tell()
    }
  }

  #one(index: number, order: Order): Promise<Outcome> {
    const program = fileURLToPath(new URL(`../../sim/main${extname(import.meta.url)}`, import.meta.url))
    // A debugger's port is taken by us.
    const execArgv = process.execArgv.filter(flag => !flag.startsWith('--inspect'))
    const child = fork(program, [JSON.stringify(order)], { execArgv })
    this.#children.add(child)
    return new Promise(resolve => {
      let outcome: Outcome | undefined
      child.on('message', (word: Word) => {
        if (word.kind !== 'progress') outcome = word
        else {
          this.#shares.set(index, word.share)
          this.#hooks.progress(this.#done())
        }
      })
      child.once('error', error => resolve({ kind: 'broken', text: error.message, traceTail: [] }))
      child.once('exit', (code, signal) => {
        this.#children.delete(child)
        const text = `the process of the run died (${signal === null ? `exit code ${code}` : signal})`
        resolve(outcome ?? { kind: 'broken', text, traceTail: [] })
      })
    })
  }

  #giveUp(order: Order, mistake: Outcome): void {
    if (this.#told < this.#orders.length) this.#hooks.ended(order, mistake)
    this.#told = this.#orders.length
    this.kill()
  }

  #tell(): void {
    this.#hooks.progress(this.#done())
    for (;;) {
      const order = this.#orders[this.#told]
      const outcome = this.#outcomes.get(this.#told)
      if (order === undefined || outcome === undefined) return
      this.#told++
      this.#hooks.ended(order, outcome)
    }
  }

  #done(): number {
    return [...this.#shares.values()].reduce((sum, share) => sum + share, 0)
  }
}
