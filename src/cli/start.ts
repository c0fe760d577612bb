/**
 * `floodgate start`: a node until it is told to end.
 *
 * - It joins the topics of the configuration and of the handler module. A topic without a handler accepts
 *   everything: the node is a relay for it, and the banner says so.
 * - ^C or SIGTERM ends it in order, also while it is still starting; a second one kills it. Why not an exit: Node
 *   waits for its threads even then, and one of them may be what hangs.
 * - While it runs, the commands that steer it (`peers`, `ban`, `addr`) reach it by a socket in its data folder. A folder
 *   that cannot have one, as some file systems cannot, is no reason not to run: a line on standard error says so.
 * - Standard output is the banner and a status line now and then; logs go to standard error.
 */
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { type Control, serveControl } from '../api/server.ts'
import type { Config } from '../config/schema.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Topic } from '../core/types.ts'
import { VERSION } from '../io/version.ts'
import { createNode, type Node } from '../node.ts'
import { loadGateModule, type TopicGate } from './cluster/gate-module.ts'
import {
  addConfigOptions,
  type CommandContext,
  type ConfigOptions,
  loadConfigOf,
  processContext,
} from './flags.ts'

interface StartOptions extends ConfigOptions {
  readonly handler?: string
  readonly statusEvery: number
}

/** The list that comes with the package, for networks that have an entry there. */
const SHIPPED_BOOTSTRAP = fileURLToPath(new URL('../../bootstrap-peers.json', import.meta.url))

export function startCommand(context: CommandContext = processContext()): Command {
  return addConfigOptions(new Command('start'))
    .description('run a node')
    .option('--handler <module>', 'module with the topics and their handlers, as for `cluster`')
    .option('--status-every <seconds>', 'seconds between status lines, 0 for none', parseSeconds, 30)
    .action(async (options: StartOptions) => {
      process.exitCode = await start(options, context)
    })
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds >= 0 && seconds <= 86_400) return seconds
  throw new InvalidArgumentError('expected 0 to 86400 seconds')
}

/** Runs until a signal, and answers the exit code. */
async function start(options: StartOptions, context: CommandContext): Promise<number> {
  let node: Node | undefined
  let control: Control | undefined
  const stop = async (): Promise<void> => {
    await control?.close()
    await node?.stop()
  }
  const ending = endingSignal()
  void ending.then(stop)
  const { config } = loadConfigOf(options, context)
  const gates =
    options.handler === undefined ? new Map<Topic, TopicGate>() : await loadGateModule(options.handler)
  node = await createNode({ ...config, bootstrapFile: config.bootstrapFile ?? SHIPPED_BOOTSTRAP })
  const relayed = subscribeAll(node, config, gates)
  try {
    await node.start()
    control = await controlOf(node, config)
  } catch (error) {
    await stop()
    // Told to end before it was ready: that is what was asked for.
    if (error instanceof FloodgateError && error.code === 'STOPPED') return 0
    throw error
  }
  const topics = [...gates.keys(), ...relayed]
  context.stdout.write(banner(node, config, topics, relayed))
  const status = setInterval(
    () => context.stdout.write(statusLine(node, topics)),
    options.statusEvery * 1_000 || 2 ** 30,
  )
  const signal = await ending
  clearInterval(status)
  context.stdout.write(`${signal}: closing connections (again to end at once)\n`)
  await stop()
  context.stdout.write('stopped\n')
  return 0
}

/** Serves the control socket; undefined where there can be none. @throws FloodgateError IN_USE */
async function controlOf(node: Node, { dataDir }: Config): Promise<Control | undefined> {
  if (dataDir === undefined) return undefined
  const warn = (text: string): void => void process.stderr.write(`floodgate: ${text}\n`)
  const log = {
    error: (message: string, fields?: object) => warn(`${message}: ${JSON.stringify(fields)}`),
  }
  try {
    return await serveControl({ node, dataDir, version: VERSION, log })
  } catch (error) {
    if (!(error instanceof FloodgateError && error.code === 'LISTEN')) throw error
    warn(`${error.message}; \`peers\`, \`ban\` and \`addr\` cannot reach this node`)
    return undefined
  }
}

/** Resolves with the first signal; the second one kills the process. */
function endingSignal(): Promise<string> {
  return new Promise(resolve => {
    const onSignal = (signal: string): void => {
      for (const name of SIGNALS) {
        process.removeAllListeners(name)
        process.once(name, () => process.kill(process.pid, 'SIGKILL'))
      }
      resolve(signal)
    }
    for (const name of SIGNALS) process.once(name, onSignal)
  })
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Answers the topics that no handler judges. */
function subscribeAll(node: Node, config: Config, gates: Map<Topic, TopicGate>): Topic[] {
  for (const [topic, { handler, options }] of gates) node.subscribe(topic, handler, options)
  const relayed = Object.keys(config.topics).filter(topic => !gates.has(topic))
  for (const topic of relayed) node.subscribe(topic, () => 'accept')
  return relayed
}

function banner(node: Node, config: Config, topics: Topic[], relayed: Topic[]): string {
  const lines = [
    ['floodgate', `${VERSION}, network ${config.network}, preset ${config.preset}`],
    ['peer id', node.peer],
    ...node.addresses().map(address => ['address', address]),
    ['data', config.dataDir ?? 'in memory'],
    ['topics', topics.length === 0 ? 'none: name some under `topics`, or give --handler' : topics.join(', ')],
    ...(relayed.length === 0
      ? []
      : [['relay', `no handler for ${relayed.join(', ')}: every message is accepted`]]),
  ]
  const text = lines.map(([name = '', value = '']) => `${name.padEnd(10)} ${value}`).join('\n')
  return `${text}\nready      ^C ends\n`
}

function statusLine(node: Node, topics: Topic[]): string {
  const peers = node.peers()
  const inbound = peers.filter(peer => peer.direction === 'inbound').length
  const { sentBytes, receivedBytes } = node.traffic()
  const perTopic = topics.map(topic => {
    const stats = node.topicStats(topic)
    return stats === undefined
      ? ''
      : `, ${topic}: ${stats.accepted} accepted, ${stats.rejected} rejected, ${stats.ignored} ignored`
  })
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
  const time = new Date().toISOString().slice(11, 19)
  const traffic = `${megabytes(receivedBytes)} in, ${megabytes(sentBytes)} out`
  return `${time} peers ${peers.length} (${inbound} in, ${peers.length - inbound} out), ${traffic}${perTopic.join('')}\n`
}
