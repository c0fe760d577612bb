import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { configKeys } from '../../src/config/keys.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { valueAt } from '../../src/config/problems.ts'
import type { ConfigInput, Preset } from '../../src/config/schema.ts'
import { renderTemplate } from '../../src/config/template.ts'

/** Examples for the keys that have no default. */
const EXAMPLES = {
  dataDir: './floodgate-data',
  identityFile: './floodgate-data/identity.key',
  bootstrapFile: './bootstrap-peers.json',
}

describe('the commented configuration', () => {
  for (const preset of ['wan', 'lan', 'local'] satisfies Preset[]) {
    const text = renderTemplate({ preset })

    it(`says the defaults of ${preset} when all marks are removed`, () => {
      const values = parse(text.replace(/^( *)#(?=\w)/gm, '$1')) as ConfigInput
      assert.deepEqual(values, parseConfig({ preset, ...EXAMPLES }))
      for (const { name, path } of configKeys()) assert.notEqual(valueAt(values, path), undefined, name)
    })

    it(`changes nothing but the data folder for ${preset} as it is`, () => {
      const { connections, discovery, gossip, topicDefaults, score, log, watchdog, ...set } = parse(text)
      // Headings without keys read as null, which the loader takes for empty sections.
      assert.deepEqual(
        { connections, discovery, gossip, topicDefaults, score, log, watchdog },
        {
          connections: null,
          discovery: null,
          gossip: null,
          topicDefaults: null,
          score: null,
          log: null,
          watchdog: null,
        },
      )
      assert.deepEqual(parseConfig(set), parseConfig({ preset, dataDir: EXAMPLES.dataDir }))
      assert.deepEqual(Object.keys(set), ['network', 'preset', 'dataDir', 'peers'])
    })
  }

  it('begins with the line that editors look for, and fits on a screen', () => {
    const lines = renderTemplate().split('\n')
    assert.equal(lines[0], '# yaml-language-server: $schema=./floodgate.schema.json')
    for (const line of lines) assert.ok(line.length <= 100, line)
  })

  it('explains every key', () => {
    const text = renderTemplate().replace(/\n *# /g, ' ')
    for (const { name, schema } of configKeys()) assert.ok(text.includes(schema.description ?? '?'), name)
  })

  it('follows when its preset is changed by hand', () => {
    const changed = parse(renderTemplate().replace(/^preset: wan$/m, 'preset: local')) as ConfigInput
    assert.deepEqual(parseConfig({ preset: changed.preset, listen: changed.listen }).listen, [
      '/ip4/127.0.0.1/tcp/0',
    ])
  })

  it('takes the name of the network', () => {
    assert.match(renderTemplate({ network: 'demo' }), /^network: demo$/m)
    assert.throws(() => renderTemplate({ network: 'No Good' }), { code: 'CONFIG' })
  })
})
