import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { FloodgateError } from '../../src/core/errors.ts'
import { Random } from '../../src/core/random.ts'
import { phasesOf } from '../../src/sim/phases.ts'
import { population, quotas } from '../../src/sim/population.ts'
import { parseBitRate, parseEventRate, parseOffset } from '../../src/sim/quantity.ts'
import { withTables } from '../../src/sim/reference.ts'
import { regionsOf } from '../../src/sim/regions.ts'
import { type Overrides, readScenario, type Scenario } from '../../src/sim/scenario.ts'
import { type ScenarioValues, scenarioJsonSchema } from '../../src/sim/schema.ts'
import { select, selectGroups } from '../../src/sim/selector.ts'

const READY = join(import.meta.dirname, '../../scenarios')

const BASE = `duration: 1m
nodes: { count: 10 }
traffic:
  - { topic: tx, rate: 1/s }
`

let folder = ''

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'floodgate-scenario-'))
})

after(() => rmSync(folder, { recursive: true, force: true }))

function read(text: string, overrides: Overrides = {}): Scenario {
  const file = join(folder, 'scenario.yaml')
  writeFileSync(file, text)
  return readScenario(file, overrides)
}

/** What is said of a scenario, a line each, without the folder. */
function problemsOf(text: string): string[] {
  try {
    read(text)
  } catch (error) {
    assert.ok(error instanceof FloodgateError && error.code === 'CONFIG', String(error))
    const [, ...lines] = error.message.split('\n')
    return lines.map(line => line.trim().replace(`${folder}/scenario.yaml:`, ''))
  }
  return []
}

describe('readScenario', () => {
  it('fills in what a scenario does not say, in milliseconds, bytes and a second', () => {
    const { traffic, nodes, phases, ...scenario } = read(BASE)
    assert.equal(scenario.duration, 60_000)
    assert.equal(scenario.warmup, 30_000)
    assert.equal(scenario.seed, '1')
    assert.equal(nodes.shape, 'random')
    assert.deepEqual(traffic, [
      { topic: 'tx', rate: 1, size: 1_000, at: 0, from: ['all'], validate: { full: 0 } },
    ])
    assert.deepEqual(phases, [{ name: 'start', fromMs: 0 }])
  })

  it('lets the command line say otherwise', () => {
    const { seed, nodes } = read(BASE, { seed: '9', nodes: 4 })
    assert.deepEqual([seed, nodes.count], ['9', 4])
  })

  it('made shorter, leaves out events that come too late, and what is claimed of their phases', () => {
    const text = `${BASE}events:
  - { at: 5s, kind: reset }
  - { at: 20s, kind: partition, for: 20s, groups: [n1, rest] }
assert: [coverage == 1, coverage(reset) == 1, coverage(healed) == 1, mergedAfterHeal <= 5s]
`
    const short = read(text, { duration: 30_000 })
    assert.deepEqual(
      [short.duration, short.phases.map(({ name }) => name), short.claims.map(claim => claim.text)],
      [30_000, ['start', 'reset', 'partition'], ['coverage == 1', 'coverage(reset) == 1']],
    )
    assert.equal(read(text).claims.length, 4)
  })

  const wrong: [id: string, text: string, problems: RegExp[]][] = [
    ['no file of YAML', 'a: [', [/^1:5: is not YAML/]],
    [
      'an empty file',
      '',
      [/duration: is missing, expected a duration/, /nodes: is missing/, /traffic: is missing/],
    ],
    ['a list', '- a', [/^1:1: is a list, expected a section of keys$/]],
    ['a misspelt key', `${BASE}warmpu: 3s\n`, [/^5:1 warmpu: unknown key, did you mean warmup\?$/]],
    [
      'a misspelt key inside',
      BASE.replace('rate:', 'size: 1kB, rat:'),
      [/^4:29 traffic\[0\]\.rat: unknown key, did you mean rate\?/],
    ],
    ['a bare number', BASE.replace('1m', '60'), [/^1:11 duration: is 60, expected a duration such as/]],
    [
      'no nodes',
      BASE.replace('10', '0'),
      [/^2:17 nodes\.count: is 0, expected a whole number from 1 to 10000$/],
    ],
    [
      'no rate',
      BASE.replace('1/s', 'often'),
      [/^4:24 traffic\[0\]\.rate: is "often", expected a rate such as 20\/s/],
    ],
    [
      'neither rate nor every',
      BASE.replace(', rate: 1/s', ''),
      [/^4:5 traffic\[0\]: .*expected rate or every/],
    ],
    [
      'a payload that is too large',
      BASE.replace('rate', 'size: 2MB, rate'),
      [/^4:24 traffic\[0\]\.size: is larger than the topic allows, expected at most 1048576/],
    ],
    [
      'a payload that is too small',
      BASE.replace('rate', 'size: 10, rate'),
      [/^4:24 .*: is 10, expected a size .*at least 64/],
    ],
    [
      'a misspelt key of the node',
      BASE.replace('10', '10, config: { gossip: { degre: 3 } }'),
      [/^2:41 nodes\.config\.gossip\.degre: unknown key, did you mean gossip\.degree\?/],
    ],
    [
      'a rule between keys of the node',
      BASE.replace('10', '10, config: { gossip: { degree: 3 } }'),
      [/^2:49 .*degreeLow is 4, expected at most 3/],
    ],
    [
      'a stranger among the senders',
      BASE.replace('rate', 'from: n11, rate'),
      [/^4:24 .*selects n11, expected nodes from n1 to n10/],
    ],
    [
      'an unknown kind of event',
      `${BASE}events:\n  - { at: 1s, kind: quake }\n`,
      [/^6:21 events\[0\]\.kind: is "quake", expected a kind of event: partition/],
    ],
    [
      'an event with a key of another',
      `${BASE}events:\n  - { at: 1s, kind: skew, nodes: all, by: 1s, share: 1 }\n`,
      [/^6:47 events\[0\]\.share: is not a key that can stand here$/],
    ],
    [
      'an event after the end',
      `${BASE}events: [{ at: 1m, kind: reset }]\n`,
      [/^5:16 .*is not before the end at 60 s/],
    ],
    [
      'one group',
      `${BASE}events: [{ at: 1s, kind: partition, groups: [all] }]\n`,
      [/groups: is a list, expected at least two groups/],
    ],
    [
      'rates that do not change',
      `${BASE}events: [{ at: 1s, kind: rates, nodes: all }]\n`,
      [/expected up, down or both/],
    ],
    [
      'an unknown class',
      `${BASE}events: [{ at: 1s, kind: crash, nodes: [n1, homes] }]\n`,
      [/^5:40 .*selects "homes", expected n1/],
    ],
    [
      'shares that are not 1',
      `${BASE}classes: { a: { share: 50% }, b: { share: 0.4 } }\n`,
      [/^5:10 classes: have shares of 0\.9 together, expected 1$/],
    ],
    [
      'regions beside a latency',
      `${BASE}latency: 5ms\nregions: { preset: world8 }\n`,
      [/^5:10 latency: stands beside regions/],
    ],
    [
      'regions without a latency',
      `${BASE}regions: { weights: { a: 1, b: 1 }, oneWay: { a: { a: 1ms, b: 5ms } } }\n`,
      [/^5:45 .*has no latency from b to b/],
    ],
    [
      'an assertion that is none',
      `${BASE}assert:\n  - coverage >= 1\n  - covrage >= 1\n`,
      [/^7:5 assert\[1\]: has no measure called covrage/],
    ],
    [
      'an assertion about nobody',
      `${BASE}assert:\n  - { assert: coverage(blocks) >= 1, expectedToFail: x }\n`,
      [/^6:5 assert\[0\]: coverage knows no blocks, expected one of tx, start/],
    ],
    [
      'an assertion about no heal',
      `${BASE}assert: [mergedAfterHeal <= 1m]\n`,
      [/needs a partition that heals/],
    ],
    [
      'a node that is none',
      `${BASE}assert: [outbound(n11) >= 1]\n`,
      [/outbound knows no n11, expected n1 to n10/],
    ],
    ['bytes of a topic', `${BASE}assert: [copies(tx) <= 1]\n`, [/copies knows no tx, expected one of start/]],
    [
      'three mistakes at once',
      BASE.replace('1m', 'x').replace('10', 'y').replace('1/s', 'z'),
      [/^1:11 /, /^2:17 /, /^4:24 /],
    ],
  ]
  for (const [id, text, expected] of wrong) {
    it(`refuses ${id}`, () => {
      const problems = problemsOf(text)
      assert.equal(problems.length, expected.length, problems.join('\n'))
      for (const [index, pattern] of expected.entries()) assert.match(problems[index] ?? '', pattern)
    })
  }

  it('says when there is no such file', () => {
    assert.throws(() => readScenario(join(folder, 'none.yaml')), /none\.yaml: there is no such file/)
  })

  for (const name of readdirSync(READY)) {
    it(`reads the ready scenario ${name}`, () => {
      const { claims } = readScenario(join(READY, name))
      assert.ok(claims.length > 0)
    })
  }
})

describe('phasesOf', () => {
  it('begins one wherever an event begins or ends, and names each once', () => {
    const { events } = read(`${BASE}events:
  - { at: 10s, kind: partition, for: 10s, groups: [n1, rest] }
  - { at: 20s, kind: churn, rate: 1/s, for: 5s }
  - { at: 30s, kind: crash, nodes: n1, for: 5s, name: storm }
  - { at: 40s, kind: churn, rate: 1/s, for: 50s }
  - { at: 50s, kind: partition, for: 5s, groups: [n1, rest] }
  - { at: 57s, kind: mark, name: late }
  - { at: 58s, kind: mark }
`)
    assert.deepEqual(
      phasesOf(events, 60_000).map(({ name, fromMs }) => `${fromMs / 1_000} ${name}`),
      [
        '0 start',
        '10 partition',
        '20 churn',
        '25 after-churn',
        '30 storm',
        '35 after-storm',
        '40 churn-2',
        '50 partition-2',
        '55 healed',
        '57 late',
        '58 mark',
      ],
    )
  })

  it('takes the name of an event that begins at once', () => {
    const { phases } = read(`${BASE}events: [{ at: 0s, kind: reset }]\n`)
    assert.deepEqual(phases, [{ name: 'reset', fromMs: 0 }])
  })
})

describe('population', () => {
  const values = (text: string): ScenarioValues => read(text) as unknown as ScenarioValues
  const people = (text: string) => {
    const scenario = values(text)
    return population(scenario, regionsOf(scenario), new Random('1'))
  }

  it('shares out classes and regions exactly', () => {
    const text = BASE.replace('10', '50').concat(
      'classes: { home: { share: 80%, up: 20mbit }, server: {} }\nregions: { preset: world8 }\n',
    )
    const members = people(text)
    assert.equal(members.filter(({ nodeClass }) => nodeClass === 'home').length, 40)
    assert.equal(members.filter(({ upBitsPerSecond }) => upBitsPerSecond === 20_000_000).length, 40)
    // 5,599 of 11,326.
    assert.equal(members.filter(({ region }) => region === 'europe').length, 25)
    assert.deepEqual(
      quotas(
        [
          ['a', 1],
          ['b', 1],
          ['c', 1],
        ],
        4,
      ).length,
      4,
    )
  })

  it('gives a random graph the number of dials that was asked for, none to itself', () => {
    for (const { index, dials } of people(BASE.replace('10', '30, connect: 4'))) {
      assert.equal(new Set(dials).size, 4)
      assert.ok(!dials.includes(index))
    }
  })

  const shapes: [shape: string, dials: number[][]][] = [
    ['shape: line', [[], [0], [1], [2], [3]]],
    ['shape: star', [[], [0], [0], [0], [0]]],
    ['shape: bootstrap, bootstraps: 2, connect: 2', [[], [0], [0, 1], [0, 1], [0, 1]]],
    ['shape: bootstrap, bootstraps: 2, connect: 2, acquainted: false', [[], [], [0, 1], [0, 1], [0, 1]]],
  ]
  for (const [shape, expected] of shapes) {
    it(`wires ${shape}`, () => {
      const members = people(BASE.replace('10', `5, ${shape}`))
      assert.deepEqual(
        members.map(({ dials }) => dials.toSorted()),
        expected,
      )
    })
  }

  it('has a latency for every two regions of the world, the same both ways', () => {
    const { names, latencyMs } = regionsOf(values(`${BASE}regions: { preset: world8 }\n`))
    assert.equal(names.length, 8)
    for (const from of names) {
      for (const to of names) {
        const ms = latencyMs(from, to)
        assert.ok(ms >= 2 && ms <= 220, `${from} to ${to}: ${ms}`)
        assert.equal(ms, latencyMs(to, from))
      }
    }
    assert.equal(latencyMs('europe', 'na_east'), 70)
  })

  it('selects nodes by number, share, class and what is left', () => {
    const members = people(BASE)
    const names = (words: string[]): string =>
      select(words, members, new Random('1'))
        .map(it => it.name)
        .join()
    assert.equal(names(['n9..n10', 'n2']), 'n2,n9,n10')
    assert.equal(select(['30%'], members, new Random('1')).length, 3)
    const [rest, some, few] = selectGroups([['rest'], ['n1..n4'], ['50%']], members, new Random('1'))
    assert.deepEqual([rest?.length, some?.length, few?.length], [1, 4, 5])
    assert.equal(new Set([...(rest ?? []), ...(some ?? []), ...(few ?? [])]).size, 10)
  })
})

describe('quantities', () => {
  it('reads rates of lines', () => {
    const texts = ['20mbit', '1.5 Gbit/s', '8kbit', '9600bit', 'unlimited', '0mbit', '20', 'mbit', '20mb']
    assert.deepEqual(texts.map(parseBitRate), [
      20e6,
      1.5e9,
      8e3,
      9_600,
      Number.POSITIVE_INFINITY,
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })

  it('reads rates of events', () => {
    const texts = ['20/s', '6/m', '36 / h', '0/s', '20001/s', '1/d', '/s']
    assert.deepEqual(texts.map(parseEventRate), [20, 0.1, 0.01, undefined, undefined, undefined, undefined])
  })

  it('reads offsets', () => {
    assert.deepEqual(['3s', '-500ms', '+1m', '3'].map(parseOffset), [3_000, -500, 60_000, undefined])
  })
})

it('docs/simulation.md has the tables of the schema: run node scripts/simulation-docs.ts', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/simulation.md'), 'utf8')
  assert.equal(page, withTables(page))
})

/** The keys that are not described, wherever they stand in a JSON Schema. */
function undescribed(schema: unknown, path: string): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties = {} } = schema as { properties?: Record<string, { description?: string }> }
  const own = Object.entries(properties).filter(([, { description }]) => description === undefined)
  const inner = Object.entries(schema).flatMap(([key, it]) => undescribed(it, `${path}/${key}`))
  return [...own.map(([key]) => `${path}/${key}`), ...inner]
}

it('describes every key of a scenario', () => {
  assert.deepEqual(undescribed({ properties: { a: { properties: { b: {} } } } }, ''), [
    '/a',
    '/properties/a/b',
  ])
  assert.deepEqual(undescribed(scenarioJsonSchema(), ''), [])
})
