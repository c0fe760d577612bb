/**
 * Writes what is derived from the configuration schema.
 *
 *     node scripts/generate.ts                  docs/configuration.md
 *     node scripts/generate.ts --schema FILE    the JSON Schema of floodgate.yaml, to FILE
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { configJsonSchema } from '../src/config/keys.ts'
import { renderReference } from '../src/config/reference.ts'

const { values } = parseArgs({ options: { schema: { type: 'string' } } })

if (values.schema === undefined) {
  write(fileURLToPath(new URL('../docs/configuration.md', import.meta.url)), renderReference())
} else {
  write(resolve(values.schema), `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`)
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  process.stdout.write(`wrote ${file}\n`)
}
