/**
 * The options that all commands share which read the configuration, and the world that a command works in.
 */
import { type Command, Option } from 'commander'
import type { Environment } from '../config/environment.ts'
import { type FlagSetting, type LoadedConfig, loadConfig } from '../config/load.ts'
import { FloodgateError } from '../core/errors.ts'

/** What a command takes from its process, so that a test can put something else there. */
export interface CommandContext {
  readonly env: Environment
  readonly cwd: string
  /** Where results go. Logs and errors go elsewhere. */
  readonly stdout: { write(text: string): unknown }
}

/** The context of this process. */
export function processContext(): CommandContext {
  return { env: process.env, cwd: process.cwd(), stdout: process.stdout }
}

/** The options that `addConfigOptions` adds, as commander hands them to an action. */
export interface ConfigOptions {
  readonly config?: string
  readonly dataDir?: string
  readonly network?: string
  readonly preset?: string
  readonly listen?: readonly string[]
  readonly peer?: readonly string[]
  readonly onlyPeers?: boolean
  readonly logLevel?: string
  readonly logFormat?: string
  readonly set?: readonly string[]
}

/** Each option that is a key of its own. */
const KEY_OPTIONS = [
  { flags: '--data-dir <DIR>', key: 'dataDir', help: 'folder for everything that survives a restart' },
  { flags: '--network <NAME>', key: 'network', help: 'name of the network' },
  { flags: '--preset <NAME>', key: 'preset', help: 'set of defaults: local, lan or wan' },
  { flags: '--listen <ADDRESS>', key: 'listen', help: 'accept connections there (repeatable)' },
  { flags: '--peer <ADDRESS>', key: 'peers', help: 'keep connected to it (repeatable)' },
  { flags: '--only-peers', key: 'onlyPeers', help: 'dial these peers and nobody else' },
  {
    flags: '--log-level <LEVEL>',
    key: 'log.level',
    help: 'fatal, error, warn, info, debug, trace or silent',
  },
  { flags: '--log-format <FORMAT>', key: 'log.format', help: 'auto, json or pretty' },
] as const

const REPEATABLE: readonly string[] = ['listen', 'peers']

/** Adds `--config`, the flags that are keys, and `--set`. Their values are checked by `loadConfigOf`. */
export function addConfigOptions(command: Command): Command {
  command.option('-c, --config <FILE>', 'configuration file; default ./floodgate.yaml, if there is one')
  for (const { flags, key, help } of KEY_OPTIONS) {
    const option = new Option(flags, help)
    command.addOption(REPEATABLE.includes(key) ? option.argParser(collect) : option)
  }
  const help = 'set any key, as in gossip.heartbeatMs=500 (repeatable)'
  return command.addOption(new Option('-s, --set <KEY=VALUE>', help).argParser(collect))
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

/** A key, in which quoted names may hold an equals sign, and its value. */
const SET_FORM = /^((?:[^="]|"(?:[^"\\]|\\.)*")+)=(.*)$/s

/** The options as settings of `loadConfig`; `--set` is the strongest. @throws FloodgateError CONFIG */
export function flagSettings(options: ConfigOptions): FlagSetting[] {
  const settings: FlagSetting[] = []
  for (const { flags, key } of KEY_OPTIONS) {
    const option = new Option(flags)
    const value = options[option.attributeName() as keyof ConfigOptions]
    if (value === undefined) continue
    const given = typeof value === 'boolean' ? String(value) : value
    settings.push({ flag: option.long ?? flags, key, value: given })
  }
  for (const text of options.set ?? []) {
    const [, key, value] = SET_FORM.exec(text) ?? []
    if (key === undefined || value === undefined) {
      const shown = JSON.stringify(text)
      throw new FloodgateError(
        'CONFIG',
        `--set: is ${shown}, expected KEY=VALUE, such as gossip.heartbeatMs=500`,
      )
    }
    settings.push({ flag: '--set', key, value })
  }
  return settings
}

/** The configuration as these options, the environment and the file make it. @throws FloodgateError CONFIG */
export function loadConfigOf(options: ConfigOptions, context: CommandContext): LoadedConfig {
  return loadConfig({
    file: options.config,
    env: context.env,
    flags: flagSettings(options),
    cwd: context.cwd,
  })
}
