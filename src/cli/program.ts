/**
 * Commands by name, and how their failures become an exit code and one line on standard error.
 */
import { Command, CommanderError } from 'commander'
import { FloodgateError } from '../core/errors.ts'
import { VERSION } from '../io/version.ts'

/** Name, what `--help` says, and where the command lives. A name without a text is not listed. */
const COMMANDS: readonly (readonly [name: string, summary: string, load: () => Promise<Command>])[] = [
  [
    'cluster',
    'a mesh of real nodes on this machine, with messages and a gate',
    async () => (await import('./cluster.ts')).clusterCommand(),
  ],
  ['start', 'run a node', async () => (await import('./start.ts')).startCommand()],
  ['sim', 'whole nodes on a virtual clock and network', async () => (await import('./sim.ts')).simCommand()],
  ['init', 'write floodgate.yaml and an identity', async () => (await import('./init.ts')).initCommand()],
  ['config', 'show or check the configuration', async () => (await import('./config.ts')).configCommand()],
  ['id', 'print the peer id', async () => (await import('./id.ts')).idCommand()],
  [
    'peers',
    'the peers of a running node; connect, disconnect',
    async () => (await import('./peers.ts')).peersCommand(),
  ],
  ['ban', 'the bans of a running node', async () => (await import('./ban.ts')).banCommand()],
  ['addr', 'the address book of a running node', async () => (await import('./addr.ts')).addrCommand()],
  ['ping', 'measure the round trip to an address', async () => (await import('./ping.ts')).pingCommand()],
  ['version', 'print versions', async () => (await import('./version.ts')).versionCommand()],
  ['cluster-node', '', async () => (await import('./cluster/child.ts')).clusterNodeCommand()],
]

/** Runs the command line and answers the exit code. @param args without the program's own name */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    const program = await programFor(args)
    await program.parseAsync([...args], { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    return report(error)
  }
}

/** Only the command that is called is loaded; for help and mistakes the others are names with a summary. */
async function programFor(args: readonly string[]): Promise<Command> {
  const program = new Command('floodgate')
    .description('A libp2p node that floods messages through a mesh and puts a gate in front of every hop.')
    .version(VERSION)
    .showSuggestionAfterError()
    .exitOverride()
  const called = args.find(arg => !arg.startsWith('-'))
  for (const [name, summary, load] of COMMANDS) {
    const command = name === called ? await load() : new Command(name).description(summary)
    program.addCommand(strict(command), { hidden: summary === '' })
  }
  return program
}

/** Errors of sub-commands too are thrown, not turned into an exit inside the library. */
function strict(command: Command): Command {
  command.exitOverride().showSuggestionAfterError()
  for (const child of command.commands) strict(child)
  return command
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // commander has printed its message; asking for help is no mistake.
    return error.exitCode === 0 ? 0 : 2
  }
  if (error instanceof FloodgateError) {
    process.stderr.write(`floodgate: ${error.message}\n`)
    return error.code === 'CONFIG' ? 2 : 1
  }
  process.stderr.write(
    `floodgate: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  )
  return 1
}
