/**
 * `floodgate init`: a folder with a commented configuration, its schema, and an identity.
 *
 * Rules: nothing that exists is overwritten without --force, and an identity never, since other nodes know
 * it.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { Command } from 'commander'
import { configJsonSchema } from '../config/keys.ts'
import { CONFIG_FILE, DATA_FOLDER } from '../config/load.ts'
import type { ConfigInput } from '../config/schema.ts'
import { renderTemplate, SCHEMA_FILE } from '../config/template.ts'
import { FloodgateError } from '../core/errors.ts'
import { loadIdentity } from '../io/identity.ts'
import { type CommandContext, processContext } from './flags.ts'

interface InitOptions {
  readonly dir: string
  readonly force?: true
  readonly network?: string
  readonly preset?: string
}

export function initCommand(context: CommandContext = processContext()): Command {
  return new Command('init')
    .description('Write a commented configuration, its schema for editors, and an identity')
    .option('--dir <DIR>', 'folder to write to', '.')
    .option('--network <NAME>', 'name of the network to write into the configuration')
    .option('--preset <NAME>', 'set of defaults to write into the configuration: local, lan or wan')
    .option('--force', 'overwrite the configuration and the schema; the identity is always kept')
    .action((options: InitOptions) => init(options, context))
}

async function init(options: InitOptions, { cwd, stdout }: CommandContext): Promise<void> {
  const folder = resolve(cwd, options.dir)
  const shown = (path: string): string => relative(cwd, path) || '.'
  const { network, preset } = options
  // What the user typed is unchecked; the template's own parse refuses what is wrong.
  const choices = {
    ...(network !== undefined && { network }),
    ...(preset !== undefined && { preset }),
  } as ConfigInput
  const files = [
    { path: join(folder, CONFIG_FILE), text: renderTemplate(choices) },
    { path: join(folder, SCHEMA_FILE), text: `${JSON.stringify(configJsonSchema(), undefined, 2)}\n` },
  ]
  if (options.force !== true)
    refuseToOverwrite(
      files.map(({ path }) => path),
      shown,
    )

  makeFolder(folder)
  const identityFile = join(folder, DATA_FOLDER, 'identity.key')
  const isNew = !existsSync(identityFile)
  // First, because it is what may fail: a folder with a configuration and no identity would look finished.
  const { peer } = await loadIdentity(identityFile, { create: true })
  stdout.write(`${isNew ? 'made' : 'kept'} ${shown(identityFile)}\n`)
  for (const { path, text } of files) {
    writeText(path, text, options.force === true)
    stdout.write(`wrote ${shown(path)}\n`)
  }
  const start =
    folder === cwd ? 'floodgate start' : `floodgate start --config ${shown(join(folder, CONFIG_FILE))}`
  stdout.write(`\nThe peer id of this node is ${peer}\nStart it with: ${start}\n`)
}

function refuseToOverwrite(paths: readonly string[], shown: (path: string) => string): void {
  const existing = paths.filter(path => existsSync(path)).map(shown)
  if (existing.length === 0) return
  const message = `${existing.join(' and ')} exist${existing.length === 1 ? 's' : ''} already; --force overwrites, except the identity`
  throw new FloodgateError('CONFIG', message)
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new FloodgateError('STORE', `cannot make the folder ${folder}: ${(cause as Error).message}`)
  }
}

function writeText(path: string, text: string, overwrite: boolean): void {
  try {
    // `wx` refuses a file that appeared since we looked.
    writeFileSync(path, text, { flag: overwrite ? 'w' : 'wx' })
  } catch (cause) {
    throw new FloodgateError('STORE', `cannot write ${path}: ${(cause as Error).message}`)
  }
}
