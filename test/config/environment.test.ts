import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readEnvironment } from '../../src/config/environment.ts'
import { type ConfigKey, configKeys } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { valueAt } from '../../src/config/problems.ts'
import { configSchema } from '../../src/config/schema.ts'

const CWD = '/srv/place'

/** Values that differ from the default, for the keys whose schema does not tell how to make one. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  network: 'other-net',
  dataDir: '/data',
  identityFile: '/keys/me',
  bootstrapFile: '/seeds.json',
  topics: { 'a.b': { concurrency: 3 } },
  'log.components': { 'libp2p:gossipsub': 'trace' },
  'score.dropBelow': -50.5,
  'score.discourageBelow': -250.5,
  'discovery.dnsSeeds': ['/dnsaddr/a.example', 'b.example:9000'],
  // One mode so far, so there is no other value; the origin still tells that the variable was read.
  'topicDefaults.mode': 'flood',
}

function sampleOf({ name, path, schema }: ConfigKey): unknown {
  if (Object.hasOwn(SAMPLES, name)) return SAMPLES[name]
  const usual = valueAt(configSchema.parse({}), path)
  if (schema.enum !== undefined) return schema.enum.find(value => value !== usual)
  if (schema.type === 'boolean') return !usual
  if (schema.type === 'integer') return Number(usual) + 1
  if (schema.type === 'array') return ['/ip4/192.0.2.1/tcp/1', '/dns4/a.example/tcp/2']
  throw new Error(`no sample for ${name}`)
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return Array.isArray(value) ? value.join(', ') : JSON.stringify(value)
}

describe('environment variables', () => {
  const keys = configKeys()

  it('have names of their own', () => {
    assert.equal(new Set(keys.map(key => key.variable)).size, keys.length)
    const variables = new Map(keys.map(key => [key.name, key.variable]))
    assert.equal(variables.get('dataDir'), 'FLOODGATE_DATA_DIR')
    assert.equal(variables.get('gossip.heartbeatMs'), 'FLOODGATE_GOSSIP_HEARTBEAT_MS')
    assert.equal(variables.get('topicDefaults.maxPayloadBytes'), 'FLOODGATE_TOPIC_DEFAULTS_MAX_PAYLOAD_BYTES')
  })

  for (const key of keys) {
    it(`${key.variable} sets ${key.name}`, () => {
      const sample = sampleOf(key)
      const { config, origin } = loadConfig({ cwd: CWD, env: { [key.variable]: textOf(sample) } })
      assert.deepEqual(valueAt(config, key.path), sample)
      assert.equal(origin(key.path), key.variable)
    })
  }

  it('set all keys at once', () => {
    const env = Object.fromEntries(keys.map(key => [key.variable, textOf(sampleOf(key))]))
    const { config } = loadConfig({ cwd: CWD, env })
    for (const key of keys) assert.deepEqual(valueAt(config, key.path), sampleOf(key), key.name)
  })

  it('count as absent when they are empty, and are left alone when they are not ours', () => {
    const env = {
      FLOODGATE_NETWORK: '',
      FLOODGATE_PEERS: '',
      FLOODGATE_API: 'http://127.0.0.1:9600',
      FLOOD: 'x',
      PATH: '/bin',
    }
    assert.deepEqual(readEnvironment(env, CWD), { layers: [], problems: [] })
    assert.deepEqual(loadConfig({ cwd: CWD, env }).config, loadConfig({ cwd: CWD }).config)
  })

  it('take relative paths from the working directory', () => {
    assert.equal(loadConfig({ cwd: CWD, env: { FLOODGATE_DATA_DIR: '../d' } }).config.dataDir, '/srv/d')
  })

  const unknown: [variable: string, hint: RegExp][] = [
    ['FLOODGATE_GOSIP_HEARTBEAT_MS', /did you mean FLOODGATE_GOSSIP_HEARTBEAT_MS\?$/],
    ['FLOODGATE_GOSSIP_HEARTBEAT', /did you mean FLOODGATE_GOSSIP_HEARTBEAT_MS\?$/],
    ['FLOODGATE_CONFG', /did you mean FLOODGATE_CONFIG\?$/],
    ['FLOODGATE_X', /such as FLOODGATE_NETWORK$/],
    ['FLOODGATE_GOSSIP', /^unknown variable, expected/],
    ['FLOODGATE_', /^unknown variable, expected FLOODGATE_ and a key such as FLOODGATE_NETWORK/],
  ]
  for (const [variable, hint] of unknown) {
    it(`refuse ${variable}`, () => {
      const { layers, problems } = readEnvironment({ [variable]: '1' }, CWD)
      assert.equal(layers.length, 0)
      assert.equal(problems.length, 1)
      assert.equal(problems[0]?.where, variable)
      assert.match(problems[0]?.message ?? '', hint)
    })
  }
})
