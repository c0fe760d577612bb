/**
 * The configuration of the command line: flags over environment over file over preset over defaults.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Environment, readEnvironment } from './environment.ts'
import { readConfigFile } from './file.ts'
import { parseKeyName } from './keys.ts'
import { type Layer, type Merged, mergeLayers, type Source } from './layers.ts'
import type { Problem } from './problems.ts'
import { nest, readText, resolvePaths } from './text.ts'

/** The file that is read, when it is there, from the working directory. */
export const CONFIG_FILE = 'floodgate.yaml'

/** The command line's data folder unless told otherwise: a node that forgets its identity surprises people. */
export const DATA_FOLDER = './floodgate-data'

/** One setting of the command line. Of several for one key the last counts. */
export interface FlagSetting {
  /** As the user wrote it, for messages: `--listen`. */
  readonly flag: string
  /** The key's full name: `gossip.heartbeatMs`, `topics."a.b".mode`. */
  readonly key: string
  /** The text of the value, or the items of a list. */
  readonly value: string | readonly string[]
}

export interface LoadOptions {
  /** The file that the user named. Without it, that of FLOODGATE_CONFIG, else ./floodgate.yaml if there is one. */
  readonly file?: string | undefined
  readonly env?: Environment
  readonly flags?: readonly FlagSetting[]
  /** What relative paths are relative to, those in the file excepted. */
  readonly cwd?: string
}

export interface LoadedConfig extends Merged {
  /** The file that was read, as it was named. */
  readonly file: string | undefined
}

/**
 * Reads, merges and checks. Every path in the result is absolute.
 * @throws ConfigError, a FloodgateError CONFIG, with every problem of every source and its place
 */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const { env = {}, flags = [], cwd = process.cwd() } = options
  const file = chosenFile(options.file, env, cwd)
  const sources = [
    file === undefined ? { layers: [], problems: [] } : readConfigFile(file, cwd),
    readEnvironment(env, cwd),
    readFlags(flags, cwd),
  ]
  const source: Source = {
    layers: sources.flatMap(({ layers }) => layers),
    problems: sources.flatMap(({ problems }) => problems),
  }
  return { ...mergeLayers(source, { dataDir: resolve(cwd, DATA_FOLDER) }), file }
}

function chosenFile(named: string | undefined, env: Environment, cwd: string): string | undefined {
  if (named !== undefined) return named
  if (env.FLOODGATE_CONFIG !== undefined && env.FLOODGATE_CONFIG !== '') return env.FLOODGATE_CONFIG
  return existsSync(resolve(cwd, CONFIG_FILE)) ? CONFIG_FILE : undefined
}

function readFlags(flags: readonly FlagSetting[], cwd: string): Source {
  const layers: Layer[] = []
  const problems: Problem[] = []
  for (const { flag, key, value } of flags) {
    const path = parseKeyName(key)
    if (path === undefined) {
      const message = `${JSON.stringify(key)} is no key, expected names with dots between them, such as gossip.heartbeatMs`
      problems.push({ where: flag, key: '', message })
    } else {
      const read = typeof value === 'string' ? readText(path, value) : value
      layers.push({ values: resolvePaths(nest(path, read), cwd), locate: () => flag })
    }
  }
  return { layers, problems }
}
