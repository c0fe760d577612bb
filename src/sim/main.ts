/**
 * One run, in a process of its own: `node main.ts '{"file": …}'`, started by `floodgate sim`.
 *
 * It replaces the globals before anything else is loaded, hence the dynamic imports. What it has to say goes through
 * the channel to its parent (`cli/sim/protocol.ts`); what a user's module prints goes to standard error.
 */
import { Console } from 'node:console'
import { closeSync, openSync, writeSync } from 'node:fs'
import type { Order, Word } from '../cli/sim/protocol.ts'
import { installVirtualGlobals } from './globals.ts'

/** How often a parent hears of progress, in real time. */
const PROGRESS_MS = 250

/** Trace lines are written in pieces of about this size. */
const PIECE_CHARS = 65_536

const { reality } = installVirtualGlobals()

const order = JSON.parse(process.argv[2] ?? '{}') as Order
globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr })
// Nobody is left to hear the result.
process.on('disconnect', () => process.exit(1))

let tail = (): string[] => []
let closeTrace = (): void => {}

/** The last word. */
function finish(word: Word): void {
  closeTrace()
  process.send?.(word, undefined, undefined, () => process.exit(0))
}

function fail(error: unknown): void {
  const { code, message, stack } = error as Error & { code?: string }
  if (code === 'CONFIG') finish({ kind: 'mistake', text: message })
  else finish({ kind: 'broken', text: stack ?? String(error), traceTail: tail() })
}

function traceFile(path: string): { line(line: string): void; close(): void } {
  const file = openSync(path, 'w')
  let piece = ''
  const flush = (): void => {
    writeSync(file, piece)
    piece = ''
  }
  return {
    line: line => {
      piece += `${line}\n`
      if (piece.length >= PIECE_CHARS) flush()
    },
    close: () => {
      flush()
      closeSync(file)
    },
  }
}

async function run(): Promise<void> {
  const { readScenario } = await import('./scenario.ts')
  const scenario = readScenario(order.file, order)
  const { loadGateModule } = await import('../cli/cluster/gate-module.ts')
  const gates = scenario.handlers === undefined ? undefined : await loadGateModule(scenario.handlers)
  const { Runner } = await import('./runner.ts')
  const trace = order.trace === undefined ? undefined : traceFile(order.trace)
  closeTrace = () => trace?.close()
  let toldMs = reality.nowMs()
  const runner = new Runner(scenario, {
    gates,
    ...(trace === undefined ? {} : { onTrace: trace.line }),
    onProgress: share => {
      if (reality.nowMs() - toldMs < PROGRESS_MS) return
      toldMs = reality.nowMs()
      process.send?.({ kind: 'progress', share } satisfies Word)
    },
  })
  tail = () => runner.tail()
  finish({ kind: 'report', report: await runner.run() })
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
await run().catch(fail)
