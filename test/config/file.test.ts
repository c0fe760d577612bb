import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { readConfigFile } from '../../src/config/file.ts'
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problems.ts'
import { renderTemplate } from '../../src/config/template.ts'

describe('the configuration file', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'floodgate-file-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const load = (text: string): LoadedConfig => {
    writeFileSync(join(folder, 'fg.yaml'), text)
    return loadConfig({ file: 'fg.yaml', cwd: folder })
  }
  const problemsOf = (text: string): string[] => {
    try {
      load(text)
      return []
    } catch (error) {
      assert.ok(error instanceof ConfigError, `${error}`)
      return error.problems.map(({ where, key, message }) => `${where} ${key}: ${message}`)
    }
  }

  const cases: { id: string; text: string; problems: (string | RegExp)[] }[] = [
    {
      id: 'a value at the top',
      text: 'network: ok\npreset: moon\n',
      problems: ['fg.yaml:2:9 preset: is "moon", expected one of local, lan, wan'],
    },
    {
      id: 'a key at the top',
      text: '# first\n\nnetwrok: ok\n',
      problems: ['fg.yaml:3:1 netwrok: unknown key, did you mean network?'],
    },
    {
      id: 'a value in a section',
      text: 'gossip:\n  degree: 6\n  heartbeatMs: soon\n',
      problems: ['fg.yaml:3:16 gossip.heartbeatMs: is "soon", expected a whole number from 100 to 60000'],
    },
    {
      id: 'a key in a section',
      text: 'gossip:\n  degree: 6\n  hartbeatMs: 5\n',
      problems: ['fg.yaml:3:3 gossip.hartbeatMs: unknown key, did you mean gossip.heartbeatMs?'],
    },
    {
      id: 'a value in a topic, in braces',
      text: 'topics:\n  tx: { concurrency: 3, maxPayloadBytes: 0 }\n',
      problems: ['fg.yaml:2:42 topics.tx.maxPayloadBytes: is 0, expected a whole number from 1 to 67108864'],
    },
    {
      id: 'a key in a topic, in JSON',
      text: '{"topics": {"a.b":\n  {"concurency": 3}}}\n',
      problems: ['fg.yaml:2:4 topics."a.b".concurency: unknown key, did you mean topics."a.b".concurrency?'],
    },
    {
      id: 'the name of a topic',
      text: `topics:\n  ok: {}\n  ${'long'.repeat(65)}: {}\n`,
      problems: [
        /^fg\.yaml:3:3 topics\.(long){65}: is not a name that can stand here, expected a topic name/,
      ],
    },
    {
      id: 'an item of a list',
      text: 'peers:\n  - /ip4/1.2.3.4/tcp/1\n  - here\n  - 5\n',
      problems: [
        /^fg\.yaml:3:5 peers\[1\]: is "here", expected an address/,
        /^fg\.yaml:4:5 peers\[2\]: is 5, expected an address/,
      ],
    },
    {
      id: 'an item of a list in brackets',
      text: 'listen: [/ip4/1.2.3.4/tcp/1, here]\n',
      problems: [/^fg\.yaml:1:30 listen\[1\]: is "here", expected an address/],
    },
    {
      id: 'an empty value, at its key',
      text: 'gossip:\n  degree:\n',
      problems: ['fg.yaml:2:3 gossip.degree: is null, expected a whole number from 1 to 100'],
    },
    {
      id: 'a value that an alias brings',
      text: 'topics:\n  a: &limits { concurrency: 0 }\n  b: *limits\n',
      problems: [
        'fg.yaml:2:29 topics.a.concurrency: is 0, expected a whole number from 1 to 65536',
        'fg.yaml:2:29 topics.b.concurrency: is 0, expected a whole number from 1 to 65536',
      ],
    },
    {
      id: 'a rule between keys, at the one that was set',
      text: 'network: ok\ngossip:\n  heartbeatMs: 100\n',
      problems: [
        /^fg\.yaml:3:16 gossip\.heartbeatMs: topicDefaults\.verdictTimeoutMs is 2000, expected at most -100 = /,
      ],
    },
    {
      id: 'the same key twice',
      text: 'network: a\nnetwork: b\n',
      problems: [/^fg\.yaml:2:1 : is not YAML: Map keys must be unique/],
    },
    {
      id: 'two mistakes of syntax',
      text: 'listen: [a\nnetwork: "\n',
      problems: [/^fg\.yaml:\d+:\d+ : is not YAML: /, /^fg\.yaml:\d+:\d+ : is not YAML: /],
    },
    {
      id: 'a setting whose heading is missing',
      text: 'peers: []\n  heartbeatMs: 5\n',
      problems: [/^fg\.yaml:\d+:\d+ : is not YAML: /],
    },
    {
      id: 'two documents',
      text: 'network: a\n---\nnetwork: b\n',
      problems: [/^fg\.yaml:2:1 : is not YAML: .*multiple documents/],
    },
    {
      id: 'a tag',
      text: 'network: !secret a\n',
      problems: [/^fg\.yaml:1:10 : is not YAML: Unresolved tag: !secret/],
    },
    {
      id: 'aliases that multiply',
      text: `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.replace(/./g, (name, at: number) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[at]}`)}]\n`)}`,
      problems: [/^fg\.yaml:1:1 : is not YAML: Excessive alias count/],
    },
    {
      id: 'a list',
      text: '- network\n',
      problems: ['fg.yaml:1:1 configuration: is a list, expected a section of keys'],
    },
    {
      id: 'a word',
      text: 'network',
      problems: ['fg.yaml:1:1 configuration: is "network", expected a section of keys'],
    },
  ]
  for (const { id, text, problems } of cases) {
    it(`names the place of ${id}`, () => {
      const found = problemsOf(text)
      assert.equal(found.length, problems.length, found.join('\n'))
      for (const [index, expected] of problems.entries()) {
        if (typeof expected === 'string') assert.equal(found[index], expected)
        else assert.match(found[index] ?? '', expected)
      }
    })
  }

  for (const [id, text] of [
    ['an empty file', ''],
    ['comments alone', '# nothing\n'],
    ['sections without keys', 'gossip:\nscore:\nlog: # later\n'],
  ] as const) {
    it(`takes ${id} for the defaults`, () => {
      assert.deepEqual(load(text).config, loadConfig({ cwd: folder }).config)
    })
  }

  it('takes relative paths from the folder of the file, not from the working directory', () => {
    const inner = join(folder, 'etc')
    mkdirSync(inner)
    writeFileSync(
      join(inner, 'x.yaml'),
      'dataDir: ../data\nidentityFile: /run/key\nbootstrapFile: seeds.json\n',
    )
    const { config, file } = loadConfig({ file: 'etc/x.yaml', cwd: folder })
    assert.equal(file, 'etc/x.yaml')
    assert.equal(config.dataDir, join(folder, 'data'))
    assert.equal(config.identityFile, '/run/key')
    assert.equal(config.bootstrapFile, join(inner, 'seeds.json'))
  })

  it('says that a named file is missing, or cannot be read', () => {
    const messageOf = (file: string) =>
      readConfigFile(file, folder).problems.map(problem => `${problem.where}: ${problem.message}`)
    assert.deepEqual(messageOf('no.yaml'), ['no.yaml: there is no such file, expected a configuration'])
    assert.match(messageOf('.')[0] ?? '', /^\.: cannot be read: EISDIR/)
  })

  it('never fails but with a ConfigError, whatever stands in it', () => {
    const template = renderTemplate().replace(/^( *)#(?=\w)/gm, '$1')
    const damaged = fc
      .tuple(
        fc.nat(template.length),
        fc.nat(40),
        fc.string({ unit: fc.constantFrom(...'ab1:- #{}[]"\'\n&*!|>%@`,') }),
      )
      .map(([at, length, text]) => template.slice(0, at) + text + template.slice(at + length))
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string(), fc.string({ unit: 'binary' })), text => {
        try {
          load(text)
        } catch (error) {
          assert.ok(error instanceof ConfigError, `${error}`)
          for (const { where } of error.problems) assert.match(where, /^fg\.yaml:\d+:\d+$/)
        }
      }),
      { numRuns: 150 },
    )
  })
})
