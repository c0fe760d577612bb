/**
 * `floodgate config show | check | schema`: what the configuration is, whether it is right, and what it may
 * be.
 */
import { Command } from 'commander'
import { Document, isCollection, isNode } from 'yaml'
import { configJsonSchema, keyName } from '../config/keys.ts'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigError } from '../config/problems.ts'
import {
  addConfigOptions,
  type CommandContext,
  type ConfigOptions,
  loadConfigOf,
  processContext,
} from './flags.ts'

interface ShowOptions extends ConfigOptions {
  readonly json?: true
  readonly origin?: true
}

interface CheckOptions extends ConfigOptions {
  readonly json?: true
}

export function configCommand(context: CommandContext = processContext()): Command {
  const show = addConfigOptions(new Command('show'))
    .description('Print the configuration with all its defaults, as YAML')
    .option('--origin', 'say where each value comes from')
    .option('--json', 'print JSON')
    .action((options: ShowOptions) => {
      context.stdout.write(render(loadConfigOf(options, context), options))
    })
  const check = addConfigOptions(new Command('check'))
    .description(
      'Check a configuration file together with the environment and flags; exits with 2 if it is wrong',
    )
    .argument('[FILE]', 'the file; default as for --config')
    .option('--json', 'print JSON')
    .action((file: string | undefined, options: CheckOptions) => {
      checkConfiguration({ ...options, ...(file !== undefined && { config: file }) }, context)
    })
  const schema = new Command('schema').description('Print the JSON Schema of floodgate.yaml').action(() => {
    context.stdout.write(json(configJsonSchema()))
  })
  return new Command('config')
    .description('Show, check or describe the configuration')
    .addCommand(show)
    .addCommand(check)
    .addCommand(schema)
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

function checkConfiguration(options: CheckOptions, context: CommandContext): void {
  try {
    const { file } = loadConfigOf(options, context)
    const isJson = options.json === true
    context.stdout.write(
      isJson
        ? json({ ok: true, file: file ?? null, problems: [] })
        : `ok${file === undefined ? ' (there is no file)' : ` ${file}`}\n`,
    )
  } catch (error) {
    if (options.json === true && error instanceof ConfigError)
      context.stdout.write(json({ ok: false, problems: error.problems }))
    throw error
  }
}

function render(loaded: LoadedConfig, options: ShowOptions): string {
  const { config, origin } = loaded
  if (options.json === true) {
    if (options.origin !== true) return json(config)
    const entries = leaves(config).map(({ path, value }) => [keyName(path), { value, origin: origin(path) }])
    return json(Object.fromEntries(entries))
  }
  const document = new Document(config)
  for (const { path } of leaves(config)) {
    const node = document.getIn(path, true)
    if (!isNode(node)) continue
    if (isCollection(node)) node.flow = true
    if (options.origin === true) node.comment = ` ${origin(path)}`
  }
  return document.toString({ lineWidth: 0 })
}

interface Leaf {
  readonly path: readonly string[]
  readonly value: unknown
}

/** Every value of the configuration that is not a section with something in it. */
function leaves(value: unknown, path: readonly string[] = []): Leaf[] {
  const isSection = typeof value === 'object' && value !== null && !Array.isArray(value)
  const entries = isSection ? Object.entries(value) : []
  if (entries.length === 0) return [{ path, value }]
  return entries.flatMap(([key, inner]) => leaves(inner, [...path, key]))
}
