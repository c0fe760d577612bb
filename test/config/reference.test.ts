import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { configKeys } from '../../src/config/keys.ts'
import { renderReference } from '../../src/config/reference.ts'

it('docs/configuration.md is what `npm run generate` writes', () => {
  const written = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  assert.equal(written, renderReference(), 'run `npm run generate`')
})

it('the reference has one row for each key, with its variable and the presets that differ', () => {
  const rows = renderReference()
    .split('\n')
    .filter(line => line.startsWith('| `'))
  assert.equal(rows.length, configKeys().length)
  for (const { name, variable } of configKeys()) {
    assert.equal(
      rows.filter(row => row.startsWith(`| \`${name}\` | `) && row.includes(` | \`${variable}\` | `)).length,
      1,
      name,
    )
  }
  const cell = (name: string): string | undefined =>
    rows.find(row => row.startsWith(`| \`${name}\``))?.split(' | ')[1]
  assert.equal(cell('connections.inboundPerSecondPerHost'), '`5`, lan: `100`, local: `10000`')
  assert.equal(cell('gossip.penaliseSharedIp'), '`true`, local: `false`')
  assert.equal(cell('gossip.degree'), '`6`')
  assert.equal(cell('bootstrapFile'), 'none')
})
