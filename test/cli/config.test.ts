import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parse } from 'yaml'
import { configCommand } from '../../src/cli/config.ts'
import { configJsonSchema } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'

const FILE = `network: demo
gossip:
  degree: 7
topics:
  a.b: { concurrency: 3 }
  empty: {}
`

describe('floodgate config', () => {
  let cwd = ''
  let printed = ''
  const env: Record<string, string> = { FLOODGATE_SCORE_DROP_BELOW: 'null' }
  before(() => {
    cwd = mkdtempSync(join(tmpdir(), 'floodgate-config-'))
    writeFileSync(join(cwd, 'floodgate.yaml'), FILE)
    writeFileSync(join(cwd, 'bad.yaml'), 'gossip:\n  degre: 7\nnetwork: Bad\n')
  })
  after(() => rmSync(cwd, { recursive: true, force: true }))

  const run = async (...words: string[]): Promise<string> => {
    printed = ''
    const stdout = { write: (text: string) => (printed += text) }
    await configCommand({ env, cwd, stdout }).parseAsync(words, { from: 'user' })
    return printed
  }
  const flags = [
    '--preset',
    'local',
    '--peer',
    '/ip4/192.0.2.1/tcp/1',
    '--set',
    'log.components={ libp2p: debug }',
  ]
  const effective = () =>
    loadConfig({
      cwd,
      env,
      flags: [
        { flag: '--preset', key: 'preset', value: 'local' },
        { flag: '--peer', key: 'peers', value: ['/ip4/192.0.2.1/tcp/1'] },
        { flag: '--set', key: 'log.components', value: '{ libp2p: debug }' },
      ],
    }).config

  it('show prints the effective configuration as YAML and as JSON', async () => {
    assert.deepEqual(parse(await run('show', ...flags)), effective())
    assert.deepEqual(JSON.parse(await run('show', '--json', ...flags)), effective())
  })

  it('show --origin says where each value comes from, in what is still YAML', async () => {
    const text = await run('show', '--origin', ...flags)
    assert.deepEqual(parse(text), effective())
    const lines = text.split('\n')
    for (const line of [
      'network: demo # floodgate.yaml:1:10',
      'preset: local # --preset',
      'listen: [ /ip4/127.0.0.1/tcp/0 ] # preset local',
      'peers: [ /ip4/192.0.2.1/tcp/1 ] # --peer',
      'announce: [] # default',
      '  degree: 7 # floodgate.yaml:3:11',
      '  penaliseSharedIp: false # preset local',
      '    concurrency: 3 # floodgate.yaml:5:23',
      '  empty: {} # floodgate.yaml:6:10',
      '  dropBelow: null # FLOODGATE_SCORE_DROP_BELOW',
      '    libp2p: debug # --set',
      '  level: info # default',
    ]) {
      assert.ok(lines.includes(line), `${line}\n\nin\n\n${text}`)
    }
  })

  it('show --origin --json gives each value with its origin', async () => {
    const all = JSON.parse(await run('show', '--origin', '--json', ...flags))
    assert.deepEqual(all['gossip.degree'], { value: 7, origin: 'floodgate.yaml:3:11' })
    assert.deepEqual(all['topics."a.b".concurrency'], { value: 3, origin: 'floodgate.yaml:5:23' })
    assert.deepEqual(all['score.dropBelow'], { value: null, origin: 'FLOODGATE_SCORE_DROP_BELOW' })
    assert.deepEqual(all.peers, { value: ['/ip4/192.0.2.1/tcp/1'], origin: '--peer' })
    assert.deepEqual(all.dataDir, { value: join(cwd, 'floodgate-data'), origin: 'default' })
  })

  it('check says ok, and of which file', async () => {
    assert.equal(await run('check'), 'ok floodgate.yaml\n')
    assert.equal(await run('check', 'floodgate.yaml', '--set', 'gossip.degree=8'), 'ok floodgate.yaml\n')
    assert.deepEqual(JSON.parse(await run('check', '--json')), {
      ok: true,
      file: 'floodgate.yaml',
      problems: [],
    })
  })

  it('check fails with every problem, as text and as JSON', async () => {
    const message = [
      '2 problems in the configuration:',
      '  bad.yaml:3:10 network: is "Bad", expected 1 to 32 of the characters a-z, 0-9 and "-"',
      '  bad.yaml:2:3 gossip.degre: unknown key, did you mean gossip.degree?',
    ].join('\n')
    await assert.rejects(run('check', 'bad.yaml'), { code: 'CONFIG', message })
    assert.equal(printed, '')
    await assert.rejects(run('check', '--json', 'bad.yaml'), { code: 'CONFIG' })
    const { ok, problems } = JSON.parse(printed)
    assert.equal(ok, false)
    assert.deepEqual(problems[1], {
      where: 'bad.yaml:2:3',
      key: 'gossip.degre',
      message: 'unknown key, did you mean gossip.degree?',
    })
  })

  it('check works where there is no file', async () => {
    const stdout = { write: (text: string) => (printed += text) }
    printed = ''
    const empty = mkdtempSync(join(cwd, 'empty-'))
    await configCommand({ env: {}, cwd: empty, stdout }).parseAsync(['check'], { from: 'user' })
    assert.equal(printed, 'ok (there is no file)\n')
  })

  it('schema prints the JSON Schema', async () => {
    assert.deepEqual(JSON.parse(await run('schema')), configJsonSchema())
  })
})
