import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { configKeys } from '../../src/config/keys.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { PRESETS } from '../../src/config/presets.ts'
import { valueAt } from '../../src/config/problems.ts'
import { configSchema, type Preset } from '../../src/config/schema.ts'

const names = Object.keys(PRESETS) as Preset[]

describe('presets', () => {
  it('are those that the schema knows', () => {
    assert.deepEqual(names.toSorted(), [...configSchema.shape.preset.unwrap().options].toSorted())
    assert.deepEqual(PRESETS.wan, {})
  })

  for (const name of names) {
    it(`${name} holds differences only, and all of them take effect`, () => {
      const defaults = configSchema.parse({})
      const config = parseConfig({ preset: name })
      let differing = 0
      for (const { name: key, path } of configKeys()) {
        const value = valueAt(PRESETS[name], path)
        if (key === 'preset') continue
        if (value === undefined) {
          assert.deepEqual(valueAt(config, path), valueAt(defaults, path), key)
        } else {
          differing += 1
          assert.notDeepEqual(value, valueAt(defaults, path), `${key} has its default`)
          assert.deepEqual(valueAt(config, path), value, key)
        }
      }
      assert.equal(leafCount(PRESETS[name]), differing, 'every value of the preset is a key')
    })
  }

  it('local stays on this machine and lets many nodes share one address', () => {
    const { listen, connections, gossip } = parseConfig({ preset: 'local' })
    assert.ok(listen.every(address => address.startsWith('/ip4/127.')))
    assert.ok(connections.inboundPerSecondPerHost >= 1_000)
    assert.equal(gossip.penaliseSharedIp, false)
  })
})

function leafCount(value: unknown): number {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 1
  return Object.values(value).reduce((sum: number, inner) => sum + leafCount(inner), 0)
}
