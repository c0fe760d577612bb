import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Command } from 'commander'
import { addConfigOptions, type ConfigOptions, flagSettings, loadConfigOf } from '../../src/cli/flags.ts'

/** What an action of a command with the shared options is given. */
function parsed(...words: string[]): ConfigOptions {
  return addConfigOptions(new Command('test').exitOverride()).parse(words, { from: 'user' }).opts()
}

const context = { env: {}, cwd: '/srv/place', stdout: { write: () => assert.fail('nothing is printed') } }

describe('the shared flags', () => {
  it('become settings of their keys, and --set comes last', () => {
    const options = parsed(
      '--set=gossip.degree=7',
      '--listen=/ip4/127.0.0.1/tcp/1',
      '--data-dir=d',
      '--network=n',
      '--preset=lan',
      '--listen',
      '/ip4/127.0.0.1/tcp/2',
      '--peer=/ip4/192.0.2.1/tcp/1',
      '--log-level=debug',
      '--log-format=json',
      '-s',
      'topics."a=b".concurrency=1',
      '-s',
      'dataDir=x=y',
    )
    assert.deepEqual(flagSettings(options), [
      { flag: '--data-dir', key: 'dataDir', value: 'd' },
      { flag: '--network', key: 'network', value: 'n' },
      { flag: '--preset', key: 'preset', value: 'lan' },
      { flag: '--listen', key: 'listen', value: ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2'] },
      { flag: '--peer', key: 'peers', value: ['/ip4/192.0.2.1/tcp/1'] },
      { flag: '--log-level', key: 'log.level', value: 'debug' },
      { flag: '--log-format', key: 'log.format', value: 'json' },
      { flag: '--set', key: 'gossip.degree', value: '7' },
      { flag: '--set', key: 'topics."a=b".concurrency', value: '1' },
      { flag: '--set', key: 'dataDir', value: 'x=y' },
    ])
  })

  it('say nothing unless they are given', () => {
    assert.deepEqual(flagSettings(parsed()), [])
  })

  it('lead to a configuration', () => {
    const options = parsed(
      '--listen=/ip4/127.0.0.1/tcp/1',
      '--network=demo',
      '--set',
      'gossip.degree=7',
      '--data-dir=d',
    )
    const { config, origin } = loadConfigOf(options, context)
    assert.deepEqual(config.listen, ['/ip4/127.0.0.1/tcp/1'])
    assert.equal(config.network, 'demo')
    assert.equal(config.gossip.degree, 7)
    assert.equal(config.dataDir, '/srv/place/d')
    assert.equal(origin(['listen']), '--listen')
  })

  it('are named in errors', () => {
    const options = parsed('--listen=here', '--set', 'gossip.degre=7', '--preset=moon')
    assert.throws(() => loadConfigOf(options, context), {
      code: 'CONFIG',
      message: [
        '3 problems in the configuration:',
        '  --preset preset: is "moon", expected one of local, lan, wan',
        '  --listen listen[0]: is "here", expected an address that starts with "/", such as /ip4/192.0.2.1/tcp/9000',
        '  --set gossip.degre: unknown key, did you mean gossip.degree?',
      ].join('\n'),
    })
  })

  it('name the file, which must be there', () => {
    assert.throws(
      () => loadConfigOf(parsed('--config', 'gone.yaml'), context),
      /\n {2}gone\.yaml: there is no such file/,
    )
  })

  for (const text of ['gossip.degree', '=7', '']) {
    it(`refuse --set ${JSON.stringify(text)}`, () => {
      assert.throws(() => flagSettings({ set: [text] }), {
        code: 'CONFIG',
        message: /^--set: is ".*", expected KEY=VALUE/,
      })
    })
  }
})
