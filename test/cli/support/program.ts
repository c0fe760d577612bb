/**
 * Commands against a node that runs beside them: in this process with an output of the test's, or as the whole program in
 * a process of its own.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import type { ControlLimits } from '../../../src/api/server.ts'
import type { CommandContext } from '../../../src/cli/flags.ts'
import { FakeLog, FakeNode, serve } from '../../api/support/node.ts'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const DEADLINE_MS = 30_000

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A node in the default data folder of a working directory. */
export class Beside {
  readonly node = new FakeNode()
  readonly log = new FakeLog()
  readonly cwd = mkdtempSync(join(tmpdir(), 'floodgate-cli-'))
  readonly #command: (context: CommandContext) => Command

  constructor(command: (context: CommandContext) => Command) {
    this.#command = command
  }

  get dataDir(): string {
    return join(this.cwd, 'floodgate-data')
  }

  async serve(t: TestContext, limits: Partial<ControlLimits> = {}): Promise<void> {
    mkdirSync(this.dataDir, { recursive: true })
    const control = await serve(this.node, this.dataDir, { limits, log: this.log })
    t.after(() => control.close())
  }

  /** Runs the command in this process, and answers what it printed. Its errors are thrown. */
  async run(...words: string[]): Promise<string> {
    return await this.runOn({}, {}, ...words)
  }

  /** The same with an environment, and an output that has more than `write`. */
  async runOn(env: Record<string, string>, output: object, ...words: string[]): Promise<string> {
    let printed = ''
    const stdout = { ...output, write: (text: string) => (printed += text) }
    await this.#command({ env, cwd: this.cwd, stdout }).parseAsync(words, { from: 'user' })
    return printed
  }

  /** Runs the program. */
  async program(...words: string[]): Promise<Ended> {
    return await new Promise(resolve => {
      const options = { cwd: this.cwd, timeout: DEADLINE_MS, killSignal: 'SIGKILL' as const }
      const child = execFile(process.execPath, [MAIN, ...words], options, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      )
    })
  }

  remove(): void {
    rmSync(this.cwd, { recursive: true, force: true })
  }
}

/** Serves a node for the time of a test. */
export async function beside(t: TestContext, command: (context: CommandContext) => Command): Promise<Beside> {
  const one = new Beside(command)
  t.after(() => one.remove())
  await one.serve(t)
  return one
}
