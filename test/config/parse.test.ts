import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { configKeys } from '../../src/config/keys.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { ConfigError } from '../../src/config/problems.ts'
import type { TopicLimits } from '../../src/core/upper.ts'

/** Every problem as one line. */
function problemsOf(input: unknown): string[] {
  try {
    parseConfig(input)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${error}`)
    return error.problems.map(({ where, key, message }) => `${where}${key}: ${message}`)
  }
}

describe('parseConfig', () => {
  it('fills in every default', () => {
    const config = parseConfig()
    const limits: TopicLimits = config.topicDefaults
    assert.equal(limits.mode, 'flood')
    assert.equal(config.network, 'floodgate-dev')
    assert.deepEqual(config.listen, ['/ip4/0.0.0.0/tcp/9000'])
    assert.equal(config.gossip.heartbeatMs, 1_000)
    assert.deepEqual(config.topics, {})
  })

  it('keeps the identity in the data folder, and without one in memory', () => {
    assert.equal(parseConfig().identityFile, undefined)
    assert.equal(parseConfig({ dataDir: '/var/lib/fg/' }).identityFile, '/var/lib/fg/identity.key')
    assert.equal(
      parseConfig({ dataDir: '/a', identityFile: '/run/secrets/key' }).identityFile,
      '/run/secrets/key',
    )
  })

  it('takes undefined for absent, at every depth', () => {
    const input = {
      network: undefined,
      gossip: { degree: undefined, heartbeatMs: 2_000 },
      log: undefined,
      topics: { tx: { concurrency: undefined } },
    }
    const expected = parseConfig({ gossip: { heartbeatMs: 2_000 }, topics: { tx: {} } })
    assert.deepEqual(parseConfig(input), expected)
  })

  it('does not share anything with its caller or with other configurations', () => {
    const listen = ['/ip4/127.0.0.1/tcp/1']
    const first = parseConfig({ listen })
    first.listen.push('changed')
    first.peers.push('changed')
    first.gossip.degree = 99
    assert.deepEqual(listen, ['/ip4/127.0.0.1/tcp/1'])
    assert.deepEqual(parseConfig().peers, [])
    assert.equal(parseConfig().gossip.degree, 6)
    const local = parseConfig({ preset: 'local' })
    local.listen.push('changed')
    assert.deepEqual(parseConfig({ preset: 'local' }).listen, ['/ip4/127.0.0.1/tcp/0'])
  })

  const wrong: { id: string; input: unknown; problems: (string | RegExp)[] }[] = [
    { id: 'null', input: null, problems: ['configuration: is null, expected a section of keys'] },
    { id: 'a list', input: [], problems: ['configuration: is a list, expected a section of keys'] },
    { id: 'a text', input: 'network', problems: ['configuration: is "network", expected a section of keys'] },
    {
      id: 'an unknown key with a swap',
      input: { gossip: { haertbeatMs: 5 } },
      problems: ['gossip.haertbeatMs: unknown key, did you mean gossip.heartbeatMs?'],
    },
    {
      id: 'an unknown key without its unit',
      input: { gossip: { outboundBuffer: 5 } },
      problems: ['gossip.outboundBuffer: unknown key, did you mean gossip.outboundBufferBytes?'],
    },
    {
      id: 'a misspelt section',
      input: { conections: {} },
      problems: ['conections: unknown key, did you mean connections?'],
    },
    {
      id: 'a key in the wrong section',
      input: { heartbeatMs: 5, connections: { seenmax: 1 } },
      problems: [
        'connections.seenmax: unknown key, did you mean gossip.seenMax?',
        'heartbeatMs: unknown key, did you mean gossip.heartbeatMs?',
      ],
    },
    {
      id: 'a key in a topic',
      input: { topics: { tx: { maxPayloadByte: 5 } } },
      problems: ['topics.tx.maxPayloadByte: unknown key, did you mean topics.tx.maxPayloadBytes?'],
    },
    {
      id: 'a key like no other',
      input: { watchdog: { zzz: 1 } },
      problems: ['watchdog.zzz: unknown key, expected one of eventLoopDelayMs, slowStartMs'],
    },
    {
      id: 'names that exist on every object',
      input: JSON.parse(
        '{ "constructor": 1, "__proto__": { "network": "x" }, "topics": { "__proto__": {} } }',
      ),
      problems: [
        'topics.__proto__: is not a name that can stand here',
        /^constructor: unknown key, /,
        /^__proto__: unknown key, /,
      ],
    },
    {
      id: 'values of the wrong kind',
      input: {
        network: 5,
        listen: '/ip4/1.2.3.4/tcp/1',
        gossip: true,
        log: { components: 'debug' },
        dataDir: '',
      },
      problems: [
        'network: is 5, expected 1 to 32 of the characters a-z, 0-9 and "-"',
        'dataDir: is "", expected a path',
        /^listen: is "\/ip4\/1\.2\.3\.4\/tcp\/1", expected a list of at most 32, each an address/,
        'gossip: is true, expected a section of keys',
        /^log\.components: is "debug", expected component names with a level each/,
      ],
    },
    {
      id: 'numbers out of bounds, each once',
      input: {
        connections: { perIpMax: 0, dialTimeoutMs: 1.5, parallelDials: 1e300, redialMinMs: Number.NaN },
      },
      problems: [
        'connections.perIpMax: is 0, expected a whole number from 1 to 65535',
        'connections.dialTimeoutMs: is 1.5, expected a whole number from 100 to 120000',
        'connections.parallelDials: is 1e+300, expected a whole number from 1 to 1000',
        'connections.redialMinMs: is NaN, expected a whole number from 10 to 3600000',
      ],
    },
    {
      id: 'an item of a list',
      input: { peers: ['/ip4/1.2.3.4/tcp/1', '1.2.3.4:9000'] },
      problems: [
        'peers[1]: is "1.2.3.4:9000", expected an address that starts with "/", such as /ip4/192.0.2.1/tcp/9000',
      ],
    },
    {
      id: 'topics that are too long in bytes, not UTF-8, or empty',
      input: { topics: { ['ü'.repeat(129)]: {}, '\ud800': {}, '': {} } },
      problems: [
        /is not a name that can stand here, expected a topic name of 1 to 256 bytes of UTF-8$/,
        /^topics\."\\ud800": is not a name/,
        /^topics\."": is not a name/,
      ],
    },
    {
      id: 'a very long value',
      input: { network: 'n'.repeat(1_000) },
      problems: [/^network: is "n{76}\.\.\., expected 1 to 32 /],
    },
  ]
  for (const { id, input, problems } of wrong) {
    it(`refuses ${id}`, () => {
      const found = problemsOf(input)
      assert.equal(found.length, problems.length, found.join('\n'))
      for (const [index, expected] of problems.entries()) {
        if (typeof expected === 'string') assert.equal(found[index], expected)
        else assert.match(found[index] ?? '', expected)
      }
    })
  }

  it('lists at most 50 problems and counts the rest', () => {
    const input = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`zzz${index}`, 1]))
    assert.throws(
      () => parseConfig(input),
      error => {
        assert.ok(error instanceof ConfigError)
        assert.equal(error.problems.length, 60)
        assert.match(error.message, /^60 problems in the configuration:/)
        assert.equal(error.message.split('\n').length, 52)
        assert.match(error.message, /\n {2}and 10 more$/)
        return true
      },
    )
  })

  it('accepts a topic that is called like a member of every object', () => {
    const config = parseConfig({ topics: { constructor: { concurrency: 3 }, toString: {} } })
    assert.deepEqual(Object.keys(config.topics), ['constructor', 'toString'])
  })
})

describe('parseConfig on anything', () => {
  const names = configKeys().flatMap(key => key.path)
  /** JSON whose keys are often ours, so that random values get past the first level. */
  const { section } = fc.letrec<{ section: Record<string, unknown>; value: unknown }>(tie => ({
    section: fc.dictionary(
      fc.oneof(fc.constantFrom(...names), fc.constantFrom('gossip', 'topics', 'log'), fc.string()),
      tie('value'),
      {
        maxKeys: 6,
      },
    ),
    value: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue(),
      fc.integer(),
      fc.constantFrom(...names),
      tie('section'),
    ),
  }))

  it('throws nothing but a ConfigError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), section), input => {
        try {
          const config = parseConfig(input)
          // What has been accepted is complete, so it is accepted again and stays the same.
          assert.deepEqual(parseConfig(config), config)
        } catch (error) {
          assert.ok(error instanceof ConfigError, `${error}`)
          assert.equal(error.code, 'CONFIG')
          assert.ok(error.problems.length > 0)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('accepts gossip settings exactly when they keep the rules', () => {
    const gossip = fc.record({
      heartbeatMs: fc.integer({ min: 100, max: 3_000 }),
      historyLength: fc.integer({ min: 2, max: 8 }),
      historyGossip: fc.integer({ min: 1, max: 8 }),
      degree: fc.integer({ min: 1, max: 9 }),
      degreeLow: fc.integer({ min: 1, max: 9 }),
      degreeHigh: fc.integer({ min: 1, max: 9 }),
    })
    const verdictTimeoutMs = fc.integer({ min: 1, max: 6_000 })
    fc.assert(
      fc.property(gossip, verdictTimeoutMs, (gossip, verdictTimeoutMs) => {
        const isRight =
          verdictTimeoutMs + 500 <= (gossip.historyLength - 1) * gossip.heartbeatMs &&
          gossip.historyGossip <= gossip.historyLength &&
          gossip.degreeLow <= gossip.degree &&
          gossip.degree <= gossip.degreeHigh
        const found = problemsOf({ gossip, topicDefaults: { verdictTimeoutMs } })
        assert.equal(found.length === 0, isRight, found.join('\n'))
      }),
      { numRuns: 500 },
    )
  })
})
