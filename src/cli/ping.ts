/**
 * `floodgate ping ADDRESS`: round trips to a libp2p node, from a node that lives as long as the command.
 */
import { Command, InvalidArgumentError } from 'commander'
import { createNode } from '../node.ts'
import { type CommandContext, loadConfigOf, processContext } from './flags.ts'

interface PingOptions {
  readonly network?: string
  readonly count: number
  readonly json?: true
}

/** Between two pings, so that they do not measure each other. */
const PAUSE_MS = 200

export function pingCommand(context: CommandContext = processContext()): Command {
  return new Command('ping')
    .description('measure the round trip to an address')
    .argument('<address>', 'multiaddr, for example /ip4/203.0.113.7/tcp/9000')
    .option('--count <n>', 'how many round trips', parseCount, 4)
    .option('--network <name>', 'its network, if not the one that is configured here')
    .option('--json', 'one JSON object')
    .action(async (address: string, options: PingOptions) => ping(address, options, context))
}

function parseCount(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count
  throw new InvalidArgumentError('expected a whole number from 1 to 1000')
}

async function ping(address: string, options: PingOptions, context: CommandContext): Promise<void> {
  const { count, json } = options
  const { stdout } = context
  const { network } = loadConfigOf(options, context).config
  const node = await createNode({ network, listen: [], onlyPeers: true, log: { level: 'silent' } })
  await node.start()
  try {
    const peer = await node.connect(address)
    const rttMs: number[] = []
    for (let i = 0; i < count; i++) {
      if (i > 0) await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
      const ms = await node.ping(address)
      rttMs.push(ms)
      if (json === undefined) stdout.write(`${peer} ${shown(ms)}\n`)
    }
    const sorted = rttMs.toSorted((a, b) => a - b)
    const summary = {
      min: sorted[0],
      median: sorted[Math.floor((sorted.length - 1) / 2)],
      max: sorted.at(-1),
    }
    if (json !== undefined) stdout.write(`${JSON.stringify({ peer, address, rttMs, ...summary })}\n`)
    else
      stdout.write(`min ${shown(summary.min)}, median ${shown(summary.median)}, max ${shown(summary.max)}\n`)
  } finally {
    await node.stop()
  }
}

/** libp2p measures in whole milliseconds. */
function shown(ms = 0): string {
  return ms < 1 ? '< 1 ms' : `${ms} ms`
}
