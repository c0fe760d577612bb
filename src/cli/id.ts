/**
 * `floodgate id`: the peer id of this node, from its identity file.
 */
import { Command } from 'commander'
import { FloodgateError } from '../core/errors.ts'
import { loadIdentity } from '../io/identity.ts'
import {
  addConfigOptions,
  type CommandContext,
  type ConfigOptions,
  loadConfigOf,
  processContext,
} from './flags.ts'

interface IdOptions extends ConfigOptions {
  readonly json?: true
}

export function idCommand(context: CommandContext = processContext()): Command {
  return addConfigOptions(new Command('id'))
    .description('Print the peer id of this node')
    .option('--json', 'print JSON')
    .action((options: IdOptions) => printId(options, context))
}

async function printId(options: IdOptions, context: CommandContext): Promise<void> {
  const { identityFile } = loadConfigOf(options, context).config
  // The command line always has a data folder, and with it an identity file.
  if (identityFile === undefined) throw new FloodgateError('IDENTITY', 'there is no identity file')
  const { peer } = await loadIdentity(identityFile, { create: false })
  context.stdout.write(options.json === true ? `${JSON.stringify({ peer, identityFile })}\n` : `${peer}\n`)
}
