/**
 * Writes what is derived from the source.
 *
 *     node scripts/generate.ts                  docs/configuration.md, and the tables of docs/peers.md
 *     node scripts/generate.ts --schema FILE    the JSON Schema of floodgate.yaml, to FILE
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { configJsonSchema } from '../src/config/keys.ts'
import { renderReference } from '../src/config/reference.ts'
import { withPeersTables } from './peers-tables.ts'

const { values } = parseArgs({ options: { schema: { type: 'string' } } })

if (values.schema === undefined) {
  write(page('configuration'), renderReference())
  write(page('peers'), withPeersTables(readFileSync(page('peers'), 'utf8')))
} else {
  write(resolve(values.schema), `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`)
}

function page(name: string): string {
  return fileURLToPath(new URL(`../docs/${name}.md`, import.meta.url))
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  process.stdout.write(`wrote ${file}\n`)
}
