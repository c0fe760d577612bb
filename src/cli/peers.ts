/**
 * `floodgate peers`: who a running node is connected to, and a hand on it.
 */
import { Command } from 'commander'
import { addControlOptions, type Call, type ControlOptions, callerOf } from './control.ts'
import { type CommandContext, processContext } from './flags.ts'
import { isShortId, peerEndingWith } from './peers/ids.ts'
import { peersSummary, peersTable, sortedPeers } from './peers/rows.ts'

interface ListOptions extends ControlOptions {
  readonly wide?: true
}

interface ConnectOptions extends ControlOptions {
  readonly keep?: true
}

const HELP = `
Why a peer is connected: manual (asked for), anchor and outbound (chosen by this node; anchors are dialled first
after a restart), feeler (its address is only tried), hint (found by the Kademlia walk), inbound (it has dialled).
The handshake is pending, done, or plain: a gossip peer that does not speak our protocols.`

export function peersCommand(context: CommandContext = processContext()): Command {
  const list = addControlOptions(new Command('ls'))
    .description('Show the connected peers; `floodgate peers` alone does the same')
    .option('--wide', 'ids, addresses and agents in full')
    .addHelpText('after', HELP)
    .action((options: ListOptions) => listPeers(options, context))
  const connect = addControlOptions(new Command('connect'))
    .description('Dial an address, and wait until the connection stands')
    .argument('<ADDRESS>', 'multiaddr, for example /ip4/203.0.113.7/tcp/9000')
    .option('--keep', 'connect again whenever the connection is lost')
    .action((address: string, options: ConnectOptions) => connectTo(address, options, context))
  const disconnect = addControlOptions(new Command('disconnect'))
    .description('Close the connections to a peer, and keep it connected no longer')
    .argument('<PEER>', 'its id, or the end of it as `peers` shows it')
    .action((peer: string, options: ControlOptions) => disconnectFrom(peer, options, context))
  return new Command('peers')
    .description('Show the peers of a running node; connect and disconnect them')
    .addCommand(list, { isDefault: true })
    .addCommand(connect)
    .addCommand(disconnect)
}

async function listPeers({ wide, json, ...options }: ListOptions, context: CommandContext): Promise<void> {
  const { peers } = await callerOf(options, context)('Peers', {})
  if (json === true) {
    context.stdout.write(`${JSON.stringify(sortedPeers(peers))}\n`)
  } else if (peers.length === 0) {
    context.stdout.write('no peers\n')
  } else {
    const text = peersTable(peers, Date.now(), wide === true)
    context.stdout.write(`${text}\n${peersSummary(peers)}\n`)
  }
}

async function connectTo(address: string, options: ConnectOptions, context: CommandContext): Promise<void> {
  const { keep, json, ...control } = options
  const { peer } = await callerOf(control, context)('Connect', { address, keep: keep === true })
  context.stdout.write(json === true ? `${JSON.stringify({ peer })}\n` : `connected to ${peer}\n`)
}

async function disconnectFrom(text: string, options: ControlOptions, context: CommandContext): Promise<void> {
  const { json, ...control } = options
  const call = callerOf(control, context)
  const peer = await peerOf(text, call)
  await call('Disconnect', { peer })
  context.stdout.write(json === true ? `${JSON.stringify({ peer })}\n` : `disconnected ${peer}\n`)
}

/** The peer that a text means: its id, or the end of the id of a connected one. */
export async function peerOf(text: string, call: Call): Promise<string> {
  if (!isShortId(text)) return text
  const { peers } = await call('Peers', {})
  return peerEndingWith(
    text,
    peers.map(({ peer }) => peer),
  )
}
