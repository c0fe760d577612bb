/**
 * `floodgate cluster`: a mesh of real nodes on this machine, each a process of its own, with messages flowing
 * through a gate that rejects some of them.
 *
 * Exit codes: 0 all is well · 1 coverage below 1, a dead node, a spoilt message beyond the first hop · 2 usage.
 * ^C ends in order, with the summary; a second one kills everything at once.
 */
import { Console } from 'node:console'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type ClusterOptions, DEFAULTS, NODES_MAX } from './cluster/options.ts'
import { PAYLOAD_MIN_BYTES } from './cluster/payload.ts'
import { planOf, type RunPlan } from './cluster/plan.ts'
import { type ClusterReport, hasFigures, reportOf, summary } from './cluster/report.ts'
import { Run } from './cluster/run.ts'
import { Screen, sizeOf } from './cluster/screen.ts'
import { tracePicture } from './cluster/trace-picture.ts'
import { parseCount, parseDuration, parseFraction, parseSize } from './cluster/units.ts'
import { frame, nodeTable } from './cluster/view.ts'
import { splitWords } from './cluster/words.ts'

const FRAME_MS = 500

/**
 * A second ^C sooner than this is the same stroke: npm passes on a signal that the terminal has already sent to
 * everybody.
 */
const SAME_STROKE_MS = 500

/** The longest time that a timer can take. */
const FOR_MAX_MS = 2 ** 31 - 1

/** Rows of the table in a summary that nobody has watched growing. */
const SUMMARY_ROWS = 24

const HELP = `
Sizes: 300, 1kB, 64KiB, 1MB. Durations: 500ms, 15s, 2m. {i} in --exec is the number of the node, from 1; the
command is run without a shell.

MODULE exports { topic: { handler, quickVerify?, header?, maxPayloadBytes?, mode?, corrupt? } }.

Examples:
  floodgate cluster --nodes 8 --rate 100 --size 4kB --for 1m
  floodgate cluster --feed ./blocks --handler ./my-gate.ts --corrupt 6
  floodgate cluster --exec 'ip netns exec host{i}'`

export function clusterCommand(): Command {
  const { nodes, topic, rate, sizeBytes, reject, forMs, seed } = DEFAULTS
  const option = (flags: string, help: string): Option => new Option(flags, help)
  return new Command('cluster')
    .description(
      'Run a mesh of nodes on this machine, with messages flowing through a gate that rejects some',
    )
    .addOption(option('--nodes <N>', `how many nodes, 2 to ${NODES_MAX}`).default(nodes).argParser(readNodes))
    .addOption(option('--topic <T>', `topic (default: ${topic}, or the only one of the handler module)`))
    .addOption(
      option('--rate <R>', `messages a second, all nodes together (default: ${rate})`).argParser(readRate),
    )
    .addOption(option('--size <S>', `size of a message (default: ${sizeBytes})`).argParser(readSize))
    .addOption(
      option('--reject <FRACTION>', `share of spoilt messages (default: ${reject})`).argParser(readFraction),
    )
    .addOption(option('--feed <PATH>', 'send real input: each file of a folder is one message'))
    .addOption(option('--lines', 'with --feed: each line of a file is one message'))
    .addOption(option('--handler <MODULE>', 'your own gate, a TypeScript or JavaScript module'))
    .addOption(option('--corrupt <N>', 'add N spoilt copies of fed messages').argParser(readCount))
    .addOption(option('--mode <M>', 'how payloads travel').choices(['flood', 'ask', 'swarm', 'auto']))
    .addOption(
      option('--exec <COMMAND>', 'run each node behind a command, such as ip netns exec').argParser(
        readWords,
      ),
    )
    .addOption(
      option('--for <D>', `how long (default: ${forMs / 1_000}s, on a terminal until ctrl-c)`).argParser(
        readFor,
      ),
    )
    .addOption(option('--seed <TEXT>', 'decides topology, senders and payloads').default(seed))
    .addOption(option('--data-dir <DIR>', 'keep the data folders of the nodes there (default: temporary)'))
    .addOption(option('--trace', 'show at the end who gave which part of the largest message to whom'))
    .addOption(option('--json', 'print one JSON object at the end').conflicts('trace'))
    .addHelpText('after', HELP)
    .allowExcessArguments(false)
    .action(cluster)
}

async function cluster(options: ClusterOptions): Promise<void> {
  const { json = false } = options
  // A user's module may print what it likes; standard output is ours.
  globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr })
  const isLive = process.stdout.isTTY === true && !json
  const endsItself = isLive || options.feed !== undefined ? undefined : DEFAULTS.forMs
  const plan = await planOf(options, options.for ?? endsItself)
  const run = new Run(plan, phase => {
    if (!isLive && !json && phase === 'sending') process.stderr.write(`${whatIsSent(plan)} …\n`)
  })
  // Whoever reads our output may have had enough of it; the run and its exit code do not depend on that.
  process.stdout.on('error', () => {})
  const release = obeySignals(run)
  const draw = isLive ? startScreen(run) : undefined
  if (!isLive && !json) process.stderr.write(`starting ${plan.nodes} nodes …\n`)
  await run.run()
  draw?.()
  release()
  const report = reportOf(run)
  print(run, report, isLive ? 'live' : json ? 'json' : 'text')
  process.exitCode = report.ok ? 0 : 1
}

/** The end of the story; with JSON, what failed goes to standard error as well, for whoever looks on. */
function print(run: Run, report: ClusterReport, form: 'live' | 'json' | 'text'): void {
  const logged = report.ok ? [] : run.fleet.logged().map(line => `logged     ${line}\n`)
  if (form === 'json') {
    process.stdout.write(`${JSON.stringify(report)}\n`)
    process.stderr.write([...report.problems.map(problem => `failed: ${problem}\n`), ...logged].join(''))
    return
  }
  // On a terminal the table stands there already.
  const hasTable = form === 'text' && hasFigures(report)
  if (hasTable) process.stdout.write(`${nodeTable(run, SUMMARY_ROWS).join('\n')}\n`)
  process.stdout.write(`\n${summary(report)}\n${logged.join('')}`)
  const traced = run.trace?.chosen()
  if (traced === undefined) return
  const picture = tracePicture(traced, run.plan.nodes, sizeOf(process.stdout).columns)
  process.stdout.write(`\n${picture.join('\n')}\n`)
}

/** Draws the live table until the returned function has drawn it for the last time. */
function startScreen(run: Run): () => void {
  const screen = new Screen(process.stdout)
  const draw = (): void => {
    const { rows, columns } = sizeOf(process.stdout)
    // One line stays free for the cursor: a frame that fills the screen would scroll it.
    screen.draw(frame(run, { rows: rows - 1, columns }))
  }
  draw()
  const timer = setInterval(draw, FRAME_MS)
  return () => {
    clearInterval(timer)
    draw()
    screen.close()
  }
}

function whatIsSent({ topic, traffic, forMs }: RunPlan): string {
  const duration = forMs === undefined ? '' : ` for ${forMs / 1_000} s`
  const what = traffic.kind === 'fed' ? traffic.feed.description : `${traffic.ratePerS} messages a second`
  return `sending ${what} to topic ${topic}${duration}`
}

/** Returns what gives the signals back. Whatever ends this process, no node stays behind. */
function obeySignals(run: Run): () => void {
  let firstMs: number | undefined
  const interrupt = (): void => {
    const nowMs = performance.now()
    firstMs ??= nowMs
    run.end()
    if (nowMs - firstMs < SAME_STROKE_MS) return
    run.fleet.kill()
    process.exit(130)
  }
  const end = (): void => run.end()
  const kill = (): void => run.fleet.kill()
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', end)
  process.on('SIGHUP', end)
  process.on('exit', kill)
  return () => {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', end)
    process.off('SIGHUP', end)
    process.off('exit', kill)
  }
}

/** What a parser could read, or commander's error, which names the option. */
function read<T>(value: T | undefined, expected: string): T {
  if (value === undefined) throw new InvalidArgumentError(`Expected ${expected}.`)
  return value
}

function readNodes(text: string): number {
  const count = parseCount(text)
  return read(
    count !== undefined && count >= 2 && count <= NODES_MAX ? count : undefined,
    `2 to ${NODES_MAX}`,
  )
}

function readCount(text: string): number {
  return read(parseCount(text), 'a whole number')
}

function readRate(text: string): number {
  const rate = /^\d*\.?\d+$/.test(text) ? Number(text) : 0
  return read(rate > 0 && rate <= 1e6 ? rate : undefined, 'messages a second, above 0')
}

function readSize(text: string): number {
  const bytes = parseSize(text)
  return read(
    bytes !== undefined && bytes >= PAYLOAD_MIN_BYTES ? bytes : undefined,
    `a size of at least ${PAYLOAD_MIN_BYTES} bytes, such as 300, 1kB or 64KiB`,
  )
}

function readFraction(text: string): number {
  return read(parseFraction(text), 'a fraction from 0 to 1, such as 0.1 or 10%')
}

function readFor(text: string): number {
  const ms = parseDuration(text)
  return read(
    ms !== undefined && ms > 0 && ms <= FOR_MAX_MS ? ms : undefined,
    'a duration such as 500ms, 15s or 2m',
  )
}

function readWords(text: string): string[] {
  const words = splitWords(text)
  return read(words?.length === 0 ? undefined : words, 'a command whose quotes are closed')
}
