/**
 * The commented `floodgate.yaml` of `floodgate init`: every key with its meaning and its default.
 *
 * Rules:
 * - A line that begins with `#` and a letter is a setting, one that begins with `# ` is text. Removing the
 *   marks of all settings gives a file that says the defaults aloud.
 * - Section headings are not commented out, so that one setting needs one edit.
 * - The few keys that everybody looks for first are set.
 */
import { stringify } from 'yaml'
import { type ConfigKey, configSections, expectation } from './keys.ts'
import { parseConfig } from './parse.ts'
import { valueAt } from './problems.ts'
import type { ConfigInput } from './schema.ts'

/** The schema's file beside the configuration, which its first line names. */
export const SCHEMA_FILE = 'floodgate.schema.json'

const WIDTH = 100

/**
 * Set in the file. Not `listen`: who turns the preset to `local` must not stay open to the world by an old line.
 */
const ACTIVE = ['network', 'preset', 'dataDir', 'peers']

/** The text of the file, with the defaults of the preset in `choices`. */
export function renderTemplate(choices: Pick<ConfigInput, 'network' | 'preset'> = {}): string {
  const defaults = parseConfig(choices)
  const blocks = configSections().map(({ name, schema, keys }) => {
    const indent = name === undefined ? '' : '  '
    const settings = keys.map(key => setting(key, defaults, indent)).join('\n')
    if (name === undefined) return settings
    return `${comment(schema.description ?? '', '')}${name}:\n${settings}`
  })
  return [heading(), ...blocks].join('\n')
}

function heading(): string {
  const text =
    'The configuration of a Floodgate node. Lines that begin with "#" and no space are settings at their defaults: remove the "#" to change one. Each can also be given by an environment variable (gossip.heartbeatMs is FLOODGATE_GOSSIP_HEARTBEAT_MS) or a flag (--set gossip.heartbeatMs=500). A flag wins over the environment, the environment over this file, this file over the preset. `floodgate config check` checks this file.'
  return `# yaml-language-server: $schema=./${SCHEMA_FILE}\n#\n${comment(text, '')}`
}

function setting(key: ConfigKey, defaults: unknown, indent: string): string {
  const name = key.path.at(-1) ?? ''
  const usual = valueAt(defaults, key.path)
  // A default of null is one: only what has none shows its example.
  const value = usual === undefined ? key.schema.examples?.[0] : usual
  const mark = ACTIVE.includes(key.name) ? '' : '#'
  const meaning = `${key.schema.description ?? ''} Expected: ${expectation(key.schema)}.`
  return `${comment(meaning, indent)}${indent}${mark}${name}: ${inline(value)}\n`
}

/** A value on one line. */
function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd()
}

/** Text as comment lines of at most `WIDTH` characters. */
function comment(text: string, indent: string): string {
  const lines: string[] = []
  let line = `${indent}#`
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = `${indent}#`
    }
    line += ` ${word}`
  }
  return [...lines, line, ''].join('\n')
}
