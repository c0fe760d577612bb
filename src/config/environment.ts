/**
 * The environment variables of the command line: `FLOODGATE_` and the key in capitals,
 * `FLOODGATE_GOSSIP_HEARTBEAT_MS`.
 *
 * Rules: an unknown `FLOODGATE_` variable is an error like an unknown key. An empty variable counts as
 * absent, since that is what compose files make of a variable that is not set.
 */
import { configKeys } from './keys.ts'
import type { Layer, Source } from './layers.ts'
import type { Problem } from './problems.ts'
import { nearest } from './suggest.ts'
import { nest, readText, resolvePaths } from './text.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'FLOODGATE_'

/** Variables that are no keys: where the configuration file is, and where a node's control API is. */
const OTHER_VARIABLES = ['FLOODGATE_CONFIG', 'FLOODGATE_API']

/** One layer for each variable that is set. Relative paths are relative to `cwd`. */
export function readEnvironment(env: Environment, cwd: string): Source {
  const keys = new Map(configKeys().map(key => [key.variable, key]))
  const layers: Layer[] = []
  const problems: Problem[] = []
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || OTHER_VARIABLES.includes(variable)) continue
    if (text === undefined || text === '') continue
    const key = keys.get(variable)
    if (key === undefined) {
      problems.push(unknownVariable(variable, [...keys.keys()]))
    } else {
      const values = resolvePaths(nest(key.path, readText(key.path, text)), cwd)
      layers.push({ values, locate: () => variable })
    }
  }
  return { layers, problems }
}

function unknownVariable(variable: string, known: readonly string[]): Problem {
  // Without the part that all share, which would make everything look near.
  const rest = (name: string): string => name.slice(PREFIX.length)
  const near = nearest(rest(variable), [...known, ...OTHER_VARIABLES].map(rest))
  const hint = near === undefined ? '' : `; did you mean ${PREFIX}${near}?`
  const message = `unknown variable, expected ${PREFIX} and a key such as ${known[0]}${hint}`
  return { where: variable, key: '', message }
}
