/**
 * From layers of values to one configuration.
 *
 * A layer is a part of a configuration and knows where it was written. Layers are given from weak to strong;
 * the defaults and the preset lie below them all. Sections are merged key by key, lists and values replace
 * each other.
 *
 * Every layer is checked alone before anything is merged. So a mistake in the file is reported even when a
 * flag hides it today, and every problem can name its own place. Problems of all layers come in one error.
 */
import { join } from 'node:path'
import { checkConfig, type Finding } from './checks.ts'
import { keyName, type Path } from './keys.ts'
import { PRESETS } from './presets.ts'
import { ConfigError, type Locate, type Problem, schemaProblems, valueAt } from './problems.ts'
import { type Config, type ConfigInput, configSchema, type Preset } from './schema.ts'

export interface Layer {
  readonly values: unknown
  readonly locate: Locate
}

/** Layers, and what went wrong while they were read. */
export interface Source {
  readonly layers: readonly Layer[]
  readonly problems: readonly Problem[]
}

export interface Merged {
  readonly config: Config
  /** Where the value of a key comes from: `default`, `preset local`, or the place that its layer names. */
  origin(path: Path): string
}

/**
 * Checks and merges. `base` replaces defaults of the schema, below the preset.
 * @throws ConfigError with every problem
 */
export function mergeLayers(source: Source, base: ConfigInput = {}): Merged {
  const problems = [
    ...source.problems,
    ...source.layers.flatMap(({ values, locate }) => schemaProblems(values, locate)),
  ]
  if (problems.length > 0) throw new ConfigError(problems)

  const said = source.layers.reduce<Section>((below, { values }) => merge(below, values as Section), {})
  const preset = (said.preset ?? base.preset ?? 'wan') as Preset
  const below = merge(base, PRESETS[preset] as Section)
  const config = withIdentityFile(configSchema.parse(merge(below, said)))

  const layers = [{ values: PRESETS[preset], locate: () => `preset ${preset}` }, ...source.layers]
  const broken = checkConfig(config).map(finding => placed(finding, layers))
  if (broken.length > 0) throw new ConfigError(broken)
  return { config, origin: path => topLayer(layers, path)?.locate(path, 'value') ?? 'default' }
}

type Section = Readonly<Record<string, unknown>>

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `upper` over `lower`. An undefined value is an absent one. Only for values that have passed the schema. */
function merge(lower: Section, upper: Section): Section {
  const merged: Record<string, unknown> = { ...lower }
  for (const [key, value] of Object.entries(upper)) {
    if (value === undefined) continue
    const below = Object.hasOwn(merged, key) ? merged[key] : undefined
    merged[key] = isSection(value) ? merge(isSection(below) ? below : {}, value) : value
  }
  return merged
}

function withIdentityFile(config: Config): Config {
  if (config.identityFile !== undefined || config.dataDir === undefined) return config
  return { ...config, identityFile: join(config.dataDir, 'identity.key') }
}

/** The strongest layer that says something at a path. */
function topLayer(layers: readonly Layer[], path: Path): Layer | undefined {
  return layers.findLast(({ values }) => valueAt(values, path) !== undefined)
}

/** A broken rule at a key that somebody has set: the one it is about, else one that it compares with. */
function placed({ keys, message }: Finding, layers: readonly Layer[]): Problem {
  const [about = []] = keys
  const culprit = keys.find(key => topLayer(layers, key) !== undefined) ?? about
  const where = topLayer(layers, culprit)?.locate(culprit, 'value') ?? 'default'
  const sentence = culprit === about ? message : `${keyName(about)} ${message}`
  return { where, key: keyName(culprit), message: sentence }
}
