/**
 * The way in for programs: a configuration as an object, without file, environment and flags (`load.ts`).
 */
import { mergeLayers } from './layers.ts'
import type { Config } from './schema.ts'

/**
 * Checks a configuration that a program hands over, and fills in its preset and the defaults. Paths are kept
 * as they are: relative ones are relative to the working directory of the moment in which they are used.
 * @throws ConfigError, a FloodgateError CONFIG, with every problem by its key
 */
export function parseConfig(input: unknown = {}): Config {
  return mergeLayers({ layers: [{ values: input, locate: () => '' }], problems: [] }).config
}
