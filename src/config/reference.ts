/**
 * `docs/configuration.md`: every key with its meaning, bounds, defaults and environment variable.
 */
import { type ConfigKey, configSections, expectation } from './keys.ts'
import { parseConfig } from './parse.ts'
import { PRESETS } from './presets.ts'
import { valueAt } from './problems.ts'
import type { Preset } from './schema.ts'

const INTRODUCTION = `# Configuration

<!-- Generated from src/config/ by \`npm run generate\`. Do not edit: a test compares this file with what would be generated. -->

A program passes an object to \`createNode\`; the command line reads a file, the environment and flags.
\`floodgate init\` writes a commented file with every key, and its JSON Schema for editors.

**Precedence**, strongest first:

1. flags: \`--listen\`, \`--peer\`, \`--only-peers\`, \`--network\`, \`--preset\`, \`--data-dir\`, \`--log-level\`, \`--log-format\`, and \`--set KEY=VALUE\` for any key, as in \`--set gossip.heartbeatMs=500\`
2. environment variables: \`FLOODGATE_GOSSIP_HEARTBEAT_MS=500\`
3. the file: \`--config FILE\`, else the one that \`FLOODGATE_CONFIG\` names, else \`./floodgate.yaml\` when there is one
4. the preset
5. the defaults

Sections are merged key by key; lists and values replace each other. \`floodgate config show --origin\` prints where each value comes from.

**Mistakes.** An unknown key or variable is an error, as is a value out of bounds. All problems are reported at once, each with its file, line and column, variable or flag; the command exits with 2.

**Text** in variables and in \`--set\` is read by the key: lists are cut at commas or written in brackets, \`topics\` and \`log.components\` are written as YAML or JSON, as in \`FLOODGATE_TOPICS='{ tx: { maxPayloadBytes: 65536 } }'\`. An empty variable counts as absent. A name that holds a dot is quoted: \`--set 'topics."blocks.v1".concurrency=1'\`.

**Paths** that are relative are relative to the folder of the file in which they stand; in flags, variables and the library, to the working directory.

**Presets** are differences from the defaults: \`local\` for several nodes on one machine, \`lan\` for a private network, \`wan\` for the internet (the defaults). Where they differ, the tables name the preset.

**Rules between keys.** Those with a limit of a topic hold for \`topicDefaults\` and for every topic in \`topics\`:

- \`verdictTimeoutMs\` ≤ (\`historyLength\` − 1) × \`heartbeatMs\` − 500: gossipsub silently loses a later verdict.
- \`queueMaxBytes\` ≥ \`maxPayloadBytes\`, and \`outboundBufferBytes\` ≥ 2 × (\`maxPayloadBytes\` + 1024): a buffer that cannot hold two of the largest messages aborts the stream to a healthy peer.
- \`degreeLow\` ≤ \`degree\` ≤ \`degreeHigh\`, \`historyGossip\` ≤ \`historyLength\`, \`seenTtlMs\` ≥ \`historyLength\` × \`heartbeatMs\`, \`redialMinMs\` ≤ \`redialMaxMs\`, \`rotationMinMs\` ≤ \`rotationMaxMs\`, \`pendingPerIpMax\` ≤ \`perIpMax\`, \`score.discourageBelow\` ≤ \`score.dropBelow\`.
`

/** The page. */
export function renderReference(): string {
  const parts = configSections().map(({ name, schema, keys }) => {
    const title = name === undefined ? '## The node' : `## \`${name}\``
    const text = name === undefined ? 'Keys outside any section.' : (schema.description ?? '')
    const rows = keys.map(row).join('\n')
    return `${title}\n\n${text}\n\n| key | default | expected | variable | meaning |\n|---|---|---|---|---|\n${rows}\n`
  })
  return [INTRODUCTION, ...parts].join('\n')
}

function row(key: ConfigKey): string {
  const cells = [
    `\`${key.name}\``,
    defaults(key),
    expectation(key.schema),
    `\`${key.variable}\``,
    key.schema.description ?? '',
  ]
  return `| ${cells.map(escaped).join(' | ')} |`
}

/** What one cell of a table may hold. */
function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}

/** The default, and beside it that of each preset that differs. */
function defaults({ path }: ConfigKey): string {
  const shown = (preset: Preset): string => {
    const value = valueAt(parseConfig({ preset }), path)
    return value === undefined ? 'none' : `\`${JSON.stringify(value)}\``
  }
  // The key `preset` has its own name as its value in each preset, which is no difference.
  const differing = (Object.keys(PRESETS) as Preset[]).filter(
    preset => valueAt(PRESETS[preset], path) !== undefined && shown(preset) !== shown('wan'),
  )
  return [shown('wan'), ...differing.map(preset => `${preset}: ${shown(preset)}`)].join(', ')
}
