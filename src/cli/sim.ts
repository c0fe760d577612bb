/**
 * `floodgate sim`: whole nodes under virtual time, as a scenario says, for one seed or many.
 *
 * Exit codes: 0 all assertions are as the scenario says · 1 one is not, or a run has failed · 2 usage or a bad
 * scenario · 130 interrupted.
 * This process lives in real time; each run is a process of its own (`sim/main.ts`).
 */
import { Command, InvalidArgumentError, Option } from 'commander'
import { parseCount, parseDuration } from './cluster/units.ts'
import type { Order } from './sim/protocol.ts'
import { describe, isAsExpected, jsonOf, line } from './sim/report.ts'
import { type Outcome, Runs } from './sim/runs.ts'
import { table } from './table.ts'

interface SimOptions {
  readonly seed?: string
  readonly seeds?: readonly string[]
  readonly nodes?: number
  /** Milliseconds. */
  readonly for?: number
  readonly trace?: string
  readonly json?: boolean
}

const SEEDS_MAX = 10_000

const HELP = `
The same scenario and seed give the same run, byte for byte; the trace hash says so.

Examples:
  floodgate sim scenarios/blocks-100.yaml
  floodgate sim my.yaml --seeds 1..20
  floodgate sim my.yaml --seed 13 --trace run.txt`

export function simCommand(): Command {
  return new Command('sim')
    .description('Run whole nodes under virtual time, as a scenario says')
    .argument('<SCENARIO.yaml>', 'what happens, and what must hold in the end')
    .addOption(new Option('--seed <N>', 'run with this seed (default: the one in the scenario)'))
    .addOption(
      new Option('--seeds <A..B>', 'run with each of these seeds, one process per core')
        .argParser(readSeeds)
        .conflicts('seed'),
    )
    .addOption(
      new Option('--nodes <N>', 'how many nodes, instead of what the scenario says').argParser(readCount),
    )
    .addOption(new Option('--for <D>', 'how long, instead of what the scenario says').argParser(readFor))
    .addOption(new Option('--trace <FILE>', 'write every event there; with --seeds each into FILE.SEED'))
    .addOption(new Option('--json', 'print one JSON object for each run'))
    .addHelpText('after', HELP)
    .allowExcessArguments(false)
    .action(sim)
}

async function sim(file: string, options: SimOptions): Promise<void> {
  const { seeds, json = false } = options
  const orders = ordersOf(file, options)
  const drawn = progressLine(orders.length, process.stderr.isTTY === true)
  const ended: { order: Order; outcome: Outcome }[] = []
  const runs = new Runs(orders, {
    progress: drawn.draw,
    ended: (order, outcome) => {
      if (isInterrupted) return
      drawn.clear()
      ended.push({ order, outcome })
      print(outcome, { json, isOne: seeds === undefined })
    },
  })
  let isInterrupted = false
  const interrupt = (): void => {
    isInterrupted = true
    runs.kill()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  await runs.run()
  process.off('SIGINT', interrupt)
  process.off('SIGTERM', interrupt)
  drawn.clear()
  if (seeds !== undefined && !json) process.stdout.write(`${summary(ended)}\n`)
  process.exitCode = isInterrupted ? 130 : exitCode(ended.map(({ outcome }) => outcome))
}

function ordersOf(file: string, { seed, seeds, nodes, for: duration, trace }: SimOptions): Order[] {
  const common = {
    file,
    ...(nodes === undefined ? {} : { nodes }),
    ...(duration === undefined ? {} : { duration }),
  }
  if (seeds !== undefined) {
    return seeds.map(one => ({
      ...common,
      seed: one,
      ...(trace === undefined ? {} : { trace: `${trace}.${one}` }),
    }))
  }
  return [{ ...common, ...(seed === undefined ? {} : { seed }), ...(trace === undefined ? {} : { trace }) }]
}

function exitCode(outcomes: readonly Outcome[]): number {
  if (outcomes.some(({ kind }) => kind === 'mistake')) return 2
  return outcomes.length > 0 && outcomes.every(it => it.kind === 'report' && it.report.ok) ? 0 : 1
}

/** What is known of one run. What failed goes to standard error, with the end of the trace. */
function print(outcome: Outcome, { json, isOne }: { json: boolean; isOne: boolean }): void {
  if (outcome.kind === 'mistake') return void process.stderr.write(`floodgate: ${outcome.text}\n`)
  if (outcome.kind === 'broken') {
    return void process.stderr.write(
      `floodgate: the run failed: ${outcome.text}\n${tailOf(outcome.traceTail)}`,
    )
  }
  const { report } = outcome
  if (json) process.stdout.write(`${JSON.stringify(jsonOf(report))}\n`)
  else if (isOne) process.stdout.write(`${describe(report)}\n`)
  if (report.ok) return
  const failed = report.assertions.filter(assertion => !isAsExpected(assertion))
  const lines = failed.map(assertion => `${line(assertion)}\n`)
  process.stderr.write(`seed ${report.seed}:\n${lines.join('')}${tailOf(report.traceTail)}`)
}

function tailOf(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `the last ${lines.length} lines of the trace:\n${lines.join('\n')}\n`
}

/** One line for each seed. */
function summary(ended: readonly { order: Order; outcome: Outcome }[]): string {
  const rows = ended.map(({ order, outcome }) => {
    if (outcome.kind !== 'report') return [order.seed ?? '', 'broken', '', '']
    const { ok, traceHash, cpuSeconds, assertions } = outcome.report
    const failed = assertions.filter(it => !isAsExpected(it)).map(it => `${it.text}: ${it.shown}`)
    return [
      order.seed ?? '',
      ok ? 'ok' : 'FAILED',
      traceHash.slice(0, 16),
      cpuSeconds.toFixed(1),
      failed.join('; '),
    ]
  })
  return table(['seed', 'result', 'trace', 'CPU s', 'failed'], rows)
}

/** A line that is drawn over, on a terminal; elsewhere nothing. */
function progressLine(runs: number, isTerminal: boolean): { draw(done: number): void; clear(): void } {
  const write = (text: string): void => {
    if (isTerminal) process.stderr.write(`\r\x1b[K${text}`)
  }
  return {
    draw: done => write(`${Math.floor((done / runs) * 100)} % of ${runs === 1 ? 'the run' : `${runs} runs`}`),
    clear: () => write(''),
  }
}

function readSeeds(text: string): string[] {
  const [, from, to] = /^(\d{1,15})\.\.(\d{1,15})$/.exec(text) ?? []
  const [first, last] = [Number(from), Number(to)]
  if (from === undefined || last < first || last - first >= SEEDS_MAX) {
    throw new InvalidArgumentError(`Expected a range such as 1..20, at most ${SEEDS_MAX} seeds.`)
  }
  return Array.from({ length: last - first + 1 }, (_, index) => String(first + index))
}

function readCount(text: string): number {
  const count = parseCount(text)
  if (count === undefined || count < 1) throw new InvalidArgumentError('Expected a whole number above 0.')
  return count
}

function readFor(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < 1) throw new InvalidArgumentError('Expected a duration such as 30s or 2m.')
  return ms
}
