/**
 * Style as a test: how the layers may lean on each other, and what a file may hold. Each check is run on the
 * repository, where it must find nothing, and on a planted source, where it must find what is wrong.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { describe, it } from 'node:test'
import * as rules from './structure-rules.ts'

const ROOT = join(import.meta.dirname, '..')

/** Every source of the folders `src` and `test`. */
function repository(): rules.Files {
  const paths = ['src', 'test'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter(path => path.endsWith('.ts'))
      .map(path => `${folder}/${path.split(sep).join('/')}`),
  )
  return new Map(paths.sort().map(path => [path, readFileSync(join(ROOT, path), 'utf8')]))
}

const OPENING = '/** What it is. */\n'

/** Sources with something wrong, and what must be said of it. Lines that must be let pass stand beside it. */
interface Planted {
  readonly id: string
  readonly check: (files: rules.Files) => string[]
  readonly files: Record<string, string>
  readonly problems: readonly string[]
}

const planted: Planted[] = [
  {
    id: 'layers import only what is below them',
    check: rules.layers,
    files: {
      'src/core/a.ts': "import type { B } from '../gossip/b.ts'\nimport { C } from './c.ts'",
      'src/io/a.ts': "import { A } from '../core/a.ts'\nimport { G } from '../config/g.ts'",
      'src/peers/a.ts': "import {\n  type B,\n  C,\n} from '../gossip/b.ts'\nimport '../core/a.ts'",
      'src/gossip/b.ts': "export * from '../peers/a.ts'",
      'src/config/g.ts': "const node = await import('../node.ts')",
      'src/node.ts':
        "import './cli/main.ts'\nimport './io/a.ts'\nimport './peers/a.ts'\nimport './config/g.ts'",
      'src/index.ts': "export { A } from './node.ts'\nexport type { B } from './gossip/b.ts'",
      'src/cli/main.ts':
        "import '../index.ts'\nimport '../io/identity.ts'\nimport '../io/host.ts'\nimport '../gossip/b.ts'\n// import '../peers/a.ts'",
      'src/sim/a.ts': "import '../cli/main.ts'\nimport '../io/host.ts'",
      'src/core/d.ts': "import '../sim/a.ts'",
      'src/sync/a.ts': '',
    },
    problems: [
      'src/core/a.ts: core must not import src/gossip/b.ts',
      'src/io/a.ts: io must not import src/config/g.ts',
      'src/peers/a.ts: peers must not import src/gossip/b.ts',
      'src/gossip/b.ts: gossip must not import src/peers/a.ts',
      'src/config/g.ts: config must not import src/node.ts',
      'src/node.ts: node must not import src/cli/main.ts',
      'src/cli/main.ts: cli must not import src/io/host.ts',
      'src/cli/main.ts: cli must not import src/gossip/b.ts',
      'src/core/d.ts: core must not import src/sim/a.ts',
      'src/sync/a.ts: there is no layer sync',
    ],
  },
  {
    id: 'exceptions from that are needed',
    check: rules.exceptionsAreUsed,
    files: { 'src/cli/id.ts': "import { loadIdentity } from '../io/identity.ts'" },
    problems: ['src/io/version.ts: the exception for cli is not needed'],
  },
  {
    id: 'only io and sim know libp2p and the datastore',
    check: rules.libraries,
    files: {
      'src/io/host.ts': "import { createLibp2p } from 'libp2p'\nimport { tcp } from '@libp2p/tcp'",
      'src/gossip/a.ts':
        "import type { PeerId } from '@libp2p/interface'\nimport { createBLAKE2b } from 'hash-wasm'",
      'src/node.ts':
        "import { createLibp2p } from 'libp2p'\nconst { multiaddr } = await import('@multiformats/multiaddr')",
      'src/peers/a.ts': "import { LevelDatastore } from 'datastore-level'\nimport { Level } from 'level'",
    },
    problems: [
      'src/gossip/a.ts: only io and sim may import @libp2p/interface',
      'src/node.ts: only io and sim may import libp2p',
      'src/node.ts: only io and sim may import @multiformats/multiaddr',
      'src/peers/a.ts: only io and sim may import datastore-level',
      'src/peers/a.ts: only io and sim may import level',
    ],
  },
  {
    id: 'imports lead somewhere',
    check: rules.imports,
    files: { 'src/core/a.ts': "import './b.ts'\nimport './c.ts'", 'src/core/b.ts': '' },
    problems: ['src/core/a.ts: imports src/core/c.ts, which does not exist'],
  },
  {
    id: 'no file imports itself by others',
    check: rules.cycles,
    files: {
      'src/core/a.ts': "import type { B } from './b.ts'\nimport './d.ts'",
      'src/core/b.ts': "import './c.ts'\nimport './d.ts'",
      'src/core/c.ts': "import './a.ts'",
      'src/core/d.ts': '',
    },
    problems: ['src/core/a.ts: imports itself by src/core/b.ts, src/core/c.ts, src/core/a.ts'],
  },
  {
    id: 'there are no barrels',
    check: rules.barrels,
    files: {
      'src/index.ts': "export { A } from './core/a.ts'",
      'src/gossip/index.ts': 'export const a = 1',
      'src/core/a.ts': "export * from './b.ts'",
      'src/core/b.ts': "export type {\n  C,\n} from './c.ts'",
      'src/core/c.ts': "export { local }\nimport { d } from './d.ts'",
    },
    problems: [
      'src/gossip/index.ts: only src/index.ts may be an index',
      'src/core/a.ts: exports what is not its own',
      'src/core/b.ts: exports what is not its own',
    ],
  },
  {
    id: 'machines have no clock, chance, promise or world',
    check: rules.machines,
    files: {
      'src/core/seen.ts': `${OPENING}export const now = () => Date.now()`,
      'src/gossip/fair-queue.ts': `${OPENING}export const pick = () => Math.random()`,
      'src/gossip/a.ts':
        '/**\n * The thing: a pure machine.\n */\nimport { randomBytes } from "x"\nsetTimeout(() => {}, performance.now())',
      'src/gossip/b.ts':
        "/** B: a pure machine. */\nimport fs from 'node:fs'\nimport assert from 'node:assert/strict'\nexport async function f() {\n  await new Promise(() => {})\n}",
      'src/gossip/c.ts':
        "/** C: a pure machine. */\n// No Date here, and no\nexport const process = 'await a Promise'",
      'src/gossip/d.ts': '/** An actor. */\nexport const now = () => Date.now() // Not a pure machine',
    },
    problems: [
      'src/core/seen.ts: a machine has no Date',
      'src/gossip/fair-queue.ts: a machine has no Math.random',
      'src/gossip/a.ts: a machine has no setTimeout',
      'src/gossip/a.ts: a machine has no performance',
      'src/gossip/b.ts: a machine has no async',
      'src/gossip/b.ts: a machine has no await',
      'src/gossip/b.ts: a machine has no Promise',
      'src/gossip/b.ts: a machine has no node:fs',
      'src/gossip/c.ts: a machine has no process',
    ],
  },
  {
    id: 'files say at their top what they are',
    check: rules.headers,
    files: {
      'src/core/a.ts': `${OPENING}export const a = 1`,
      'src/cli/main.ts': `#!/usr/bin/env node\n${OPENING}`,
      'src/core/b.ts': "import './a.ts'\n/** Too late. */",
      'src/core/c.ts': '/* No docstring. */',
    },
    problems: [
      'src/core/b.ts: does not say at its top what it is',
      'src/core/c.ts: does not say at its top what it is',
    ],
  },
  {
    id: 'files are not too long',
    check: rules.lengths,
    files: {
      'src/core/a.ts': '\n'.repeat(400),
      'test/b.ts': '\n'.repeat(401),
      'bench/c.ts': '\n'.repeat(500),
    },
    problems: ['test/b.ts: 401 lines are more than 400'],
  },
  {
    id: 'types are not loose outside io',
    check: rules.looseTypes,
    files: {
      'src/core/a.ts': 'export const a: any = 1',
      'test/b.ts': 'const b = [] as Array<any>',
      'src/io/c.ts': 'export const c: any = 1',
      'src/core/d.ts':
        "/** any */\nexport const d = 'any' // any\nAbortSignal.any([])\nconst anyone = /^before any other/",
      'src/core/e.ts': 'type E = Record<string, any> | undefined',
    },
    problems: [
      'src/core/a.ts: has the type any',
      'src/core/e.ts: has the type any',
      'test/b.ts: has the type any',
    ],
  },
  {
    id: 'nothing is left for later',
    check: rules.leftovers,
    files: {
      'src/core/a.ts': `// ${'TO'}DO: the rest`,
      'test/b.ts': `const text = '${'FIX'}ME'`,
      'src/core/c.ts': '// What is to do is done.',
    },
    problems: ['src/core/a.ts: has an unfinished part', 'test/b.ts: has an unfinished part'],
  },
  {
    id: 'tests do not sleep',
    check: rules.sleeps,
    files: {
      'test/a.test.ts': 'await new Promise(resolve => setTimeout(resolve, 100))',
      'test/b.test.ts': "import { setTimeout as pause } from 'node:timers/promises'",
      'test/fixtures/c.ts': 'await sleep (5)',
      'test/d.test.ts': 'await delay(5)',
      'test/e2e/e.test.ts': 'setTimeout(done, 100)',
      'test/g.test.ts': "import { setImmediate as turn } from 'node:timers/promises'\nawait turn()",
      'test/f.test.ts': "// setTimeout(x)\nconst text = 'sleep(5)'\nclock.advance(5)",
    },
    problems: [
      'test/a.test.ts: sleeps',
      'test/b.test.ts: sleeps',
      'test/fixtures/c.ts: sleeps',
      'test/d.test.ts: sleeps',
    ],
  },
]

describe('the repository', () => {
  const files = repository()
  for (const { id, check } of planted) {
    it(`keeps the rule: ${id}`, () => assert.deepEqual(check(files), []))
  }

  it('was read', () => {
    for (const path of ['src/node.ts', 'src/core/types.ts', 'test/structure.test.ts'])
      assert.ok(files.has(path), path)
    assert.ok(rules.importsOf(files.get('src/node.ts') ?? '').includes('./gossip/topic-state.ts'))
    const machines = [
      'src/core/seen.ts',
      'src/gossip/fair-queue.ts',
      'src/gossip/gate.ts',
      'src/peers/connector.ts',
      'src/peers/score.ts',
    ]
    assert.deepEqual(
      machines.filter(path => !rules.machinesOf(files).includes(path)),
      [],
    )
  })
})

describe('a planted source', () => {
  for (const { id, check, files, problems } of planted) {
    it(`breaks the rule: ${id}`, () => {
      assert.deepEqual(check(new Map(Object.entries(files))).toSorted(), problems.toSorted())
    })
  }

  it('is checked by every rule that there is', () => {
    const checks = Object.entries(rules).filter(([name]) => name !== 'importsOf' && name !== 'machinesOf')
    assert.deepEqual(
      checks.map(([name, check]) => [name, planted.filter(entry => entry.check === check).length]),
      checks.map(([name]) => [name, 1]),
    )
  })
})
