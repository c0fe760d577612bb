/**
 * Writes the tables of `docs/simulation.md` from the schema of scenarios, or the JSON Schema for editors:
 *
 *     node scripts/simulation-docs.ts
 *     node scripts/simulation-docs.ts --schema FILE
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { withTables } from '../src/sim/reference.ts'
import { scenarioJsonSchema } from '../src/sim/schema.ts'

const { values } = parseArgs({ options: { schema: { type: 'string' } } })

if (values.schema === undefined) {
  const page = fileURLToPath(new URL('../docs/simulation.md', import.meta.url))
  writeFileSync(page, withTables(readFileSync(page, 'utf8')))
} else {
  writeFileSync(values.schema, `${JSON.stringify(scenarioJsonSchema(), undefined, 2)}\n`)
}
