import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type LoadOptions, loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problems.ts'

const KEY = ['connections', 'inboundPerSecondPerHost']

describe('loadConfig', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'floodgate-load-'))
    writeFileSync(join(folder, 'a.yaml'), 'connections:\n  inboundPerSecondPerHost: 20\n')
    writeFileSync(join(folder, 'none.yaml'), 'connections:\n')
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  // Every subset of the sources; the strongest one that speaks decides.
  for (let subset = 0; subset < 16; subset++) {
    const [preset, file, env, flag] = [1, 2, 4, 8].map(bit => (subset & bit) !== 0)
    const speaking = [preset && 'preset', file && 'file', env && 'environment', flag && 'flag'].filter(
      Boolean,
    )
    const value = flag ? 40 : env ? 30 : file ? 20 : preset ? 10_000 : 5
    const origin = flag
      ? '--set'
      : env
        ? 'FLOODGATE_CONNECTIONS_INBOUND_PER_SECOND_PER_HOST'
        : file
          ? 'a.yaml:2:28'
          : preset
            ? 'preset local'
            : 'default'
    it(`takes ${value} from ${speaking.join(', ') || 'the defaults'}`, () => {
      const loaded = loadConfig({
        cwd: folder,
        file: file ? 'a.yaml' : 'none.yaml',
        env: {
          HOME: '/root',
          ...(preset && { FLOODGATE_PRESET: 'local' }),
          ...(env && { FLOODGATE_CONNECTIONS_INBOUND_PER_SECOND_PER_HOST: '30' }),
        },
        flags: flag ? [{ flag: '--set', key: KEY.join('.'), value: '40' }] : [],
      })
      assert.equal(loaded.config.connections.inboundPerSecondPerHost, value)
      assert.equal(loaded.origin(KEY), origin)
    })
  }

  it('takes the preset from the strongest source', () => {
    writeFileSync(join(folder, 'preset.yaml'), 'preset: local\n')
    const options: LoadOptions = { cwd: folder, file: 'preset.yaml' }
    const presetFlag = [{ flag: '--preset', key: 'preset', value: 'wan' }]
    assert.equal(loadConfig(options).config.gossip.penaliseSharedIp, false)
    assert.equal(
      loadConfig({ ...options, env: { FLOODGATE_PRESET: 'lan' } }).config.connections.inboundPerSecondPerHost,
      100,
    )
    assert.equal(
      loadConfig({ ...options, env: { FLOODGATE_PRESET: 'lan' }, flags: presetFlag }).config.preset,
      'wan',
    )
  })

  it('merges sections and topics key by key, and replaces lists', () => {
    writeFileSync(
      join(folder, 'merge.yaml'),
      'listen: [/ip4/1.1.1.1/tcp/1, /ip4/1.1.1.1/tcp/2]\ngossip: { degree: 7 }\ntopics: { tx: { concurrency: 1 }, block: { concurrency: 2 } }\n',
    )
    const { config, origin } = loadConfig({
      cwd: folder,
      file: 'merge.yaml',
      env: {
        FLOODGATE_TOPICS: '{ tx: { queueMaxMessages: 9 }, extra: {} }',
        FLOODGATE_GOSSIP_DEGREE_LAZY: '3',
      },
      flags: [
        { flag: '--listen', key: 'listen', value: ['/ip4/2.2.2.2/tcp/1'] },
        { flag: '--set', key: 'topics.tx.concurrency', value: '5' },
      ],
    })
    assert.deepEqual(config.listen, ['/ip4/2.2.2.2/tcp/1'])
    assert.equal(config.gossip.degree, 7)
    assert.equal(config.gossip.degreeLazy, 3)
    assert.deepEqual(config.topics, {
      tx: { concurrency: 5, queueMaxMessages: 9 },
      block: { concurrency: 2 },
      extra: {},
    })
    assert.equal(origin(['topics', 'tx', 'concurrency']), '--set')
    assert.equal(origin(['topics', 'tx', 'queueMaxMessages']), 'FLOODGATE_TOPICS')
    assert.equal(origin(['topics', 'block', 'concurrency']), 'merge.yaml:3:57')
  })

  it('lets the last of several flags for one key count', () => {
    const flags = ['1000', '2000', '1500'].map(value => ({ flag: '--set', key: 'gossip.heartbeatMs', value }))
    assert.equal(loadConfig({ cwd: folder, flags }).config.gossip.heartbeatMs, 1_500)
  })

  it('reads the named file, else that of the environment, else ./floodgate.yaml, else none', () => {
    const home = mkdtempSync(join(folder, 'home-'))
    const read = (options: LoadOptions) => {
      const { file, config } = loadConfig({ cwd: home, ...options })
      return [file, config.network]
    }
    assert.deepEqual(read({}), [undefined, 'floodgate-dev'])
    writeFileSync(join(home, 'floodgate.yaml'), 'network: here\n')
    writeFileSync(join(home, 'env.yaml'), 'network: environment\n')
    writeFileSync(join(home, 'named.yaml'), 'network: named\n')
    const env = { FLOODGATE_CONFIG: 'env.yaml' }
    assert.deepEqual(read({}), ['floodgate.yaml', 'here'])
    assert.deepEqual(read({ env }), ['env.yaml', 'environment'])
    assert.deepEqual(read({ env, file: 'named.yaml' }), ['named.yaml', 'named'])
    assert.deepEqual(read({ env: { FLOODGATE_CONFIG: '' } }), ['floodgate.yaml', 'here'])
  })

  it('keeps its data in ./floodgate-data unless told otherwise', () => {
    const byDefault = loadConfig({ cwd: folder })
    assert.equal(byDefault.config.dataDir, join(folder, 'floodgate-data'))
    assert.equal(byDefault.config.identityFile, join(folder, 'floodgate-data', 'identity.key'))
    assert.equal(byDefault.origin(['dataDir']), 'default')
    const { config } = loadConfig({
      cwd: folder,
      env: { FLOODGATE_IDENTITY_FILE: 'keys/me' },
      flags: [{ flag: '--data-dir', key: 'dataDir', value: '../elsewhere' }],
    })
    assert.equal(config.dataDir, join(folder, '..', 'elsewhere'))
    assert.equal(config.identityFile, join(folder, 'keys', 'me'))
  })

  it('reports the problems of all sources together, each with its place', () => {
    writeFileSync(join(folder, 'bad.yaml'), 'network: Bad\nlog:\n  levle: info\n')
    const options: LoadOptions = {
      cwd: folder,
      file: 'bad.yaml',
      env: { FLOODGATE_GOSSIP_DEGREE: 'many', FLOODGATE_NETWROK: 'x' },
      flags: [
        // Hides the file's mistake today, and does not excuse it.
        { flag: '--network', key: 'network', value: 'good' },
        { flag: '--log-level', key: 'log.level', value: 'loud' },
        { flag: '--set', key: 'gossip.', value: '1' },
      ],
    }
    assert.throws(
      () => loadConfig(options),
      error => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual(
          error.message.split('\n').slice(1).toSorted(),
          [
            '  --log-level log.level: is "loud", expected one of fatal, error, warn, info, debug, trace, silent',
            '  --set: "gossip." is no key, expected names with dots between them, such as gossip.heartbeatMs',
            '  FLOODGATE_GOSSIP_DEGREE gossip.degree: is "many", expected a whole number from 1 to 100',
            '  FLOODGATE_NETWROK: unknown variable, expected FLOODGATE_ and a key such as FLOODGATE_NETWORK; did you mean FLOODGATE_NETWORK?',
            '  bad.yaml:1:10 network: is "Bad", expected 1 to 32 of the characters a-z, 0-9 and "-"',
            '  bad.yaml:3:3 log.levle: unknown key, did you mean log.level?',
          ].toSorted(),
        )
        return true
      },
    )
  })

  it('finds a missing file that was named to be a problem, by flag and by variable', () => {
    for (const options of [{ file: 'gone.yaml' }, { env: { FLOODGATE_CONFIG: 'gone.yaml' } }]) {
      assert.throws(() => loadConfig({ cwd: folder, ...options }), {
        code: 'CONFIG',
        message:
          '1 problem in the configuration:\n  gone.yaml: there is no such file, expected a configuration',
      })
    }
  })

  it('says where a broken rule between sources can be mended', () => {
    const options: LoadOptions = {
      cwd: folder,
      env: { FLOODGATE_GOSSIP_HEARTBEAT_MS: '1000' },
      flags: [{ flag: '--set', key: 'topics."a.b".verdictTimeoutMs', value: '3600' }],
    }
    assert.throws(
      () => loadConfig(options),
      /\n {2}--set topics\."a\.b"\.verdictTimeoutMs: is 3600, expected at most 3500 = /,
    )
  })
})
