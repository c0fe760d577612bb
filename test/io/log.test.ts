import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { type LogOptions, openLogs } from '../../src/io/log.ts'

interface Line {
  readonly level: number
  readonly time: number
  readonly component: string
  readonly msg: string
  readonly [field: string]: unknown
}

const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** Logs into memory. */
function open(options: Partial<LogOptions>) {
  const texts: string[] = []
  const stream = { write: (text: string) => texts.push(text) }
  const logs = openLogs({ level: 'info', format: 'json', components: {}, ...options }, stream)
  const lines = (): Line[] => texts.map(text => JSON.parse(text))
  const messages = (): string[] =>
    lines().map(({ level, component, msg }) => `${LEVELS[level]} ${component} ${msg}`)
  return { logs, texts, lines, messages }
}

describe('logs', () => {
  test('are one JSON object a line, with component, time and fields', () => {
    const { logs, texts, lines } = open({})
    const beforeMs = Date.now()
    logs.forComponent('gossip').warn('a line\nof two', { topic: 'tx', count: 7 })
    assert.deepEqual(
      texts.map(text => text.split('\n').length),
      [2],
    )
    const [line] = lines() as [Line]
    const { time, ...rest } = line
    assert.deepEqual(rest, { level: 40, component: 'gossip', topic: 'tx', count: 7, msg: 'a line\nof two' })
    assert.ok(time >= beforeMs && time <= Date.now())
  })

  test('keep to the level', () => {
    const { logs, messages } = open({ level: 'warn' })
    const log = logs.forComponent('node')
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level)
    assert.deepEqual(messages(), ['warn node warn', 'error node error'])
  })

  const components = { a: 'error', 'a:b': 'debug', 'a:b:c': 'silent' } as const
  const cases: { id: string; component: string; written: string[] }[] = [
    { id: 'the general level', component: 'z', written: ['info', 'warn', 'error'] },
    { id: 'its own level', component: 'a', written: ['error'] },
    { id: 'that of its prefix', component: 'a:x:y', written: ['error'] },
    { id: 'the longest prefix', component: 'a:b:x', written: ['debug', 'info', 'warn', 'error'] },
    { id: 'none at all', component: 'a:b:c:d', written: [] },
    { id: 'a prefix ends at a colon', component: 'ab', written: ['info', 'warn', 'error'] },
    { id: 'not what every object has', component: 'constructor', written: ['info', 'warn', 'error'] },
  ]
  for (const { id, component, written } of cases) {
    test(`a component has ${id}`, () => {
      const { logs, lines } = open({ components })
      const log = logs.forComponent(component)
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level)
      assert.deepEqual(
        lines().map(({ msg }) => msg),
        written,
      )
    })
  }
})

describe('the logs of libp2p', () => {
  test('are silent unless the user says otherwise, as its errors are none of ours', () => {
    const { logs, messages } = open({ level: 'debug' })
    const log = logs.libp2p.forComponent('libp2p:tcp')
    log('a line')
    log.error('a failed dial')
    assert.equal(log.enabled, false)
    assert.deepEqual(messages(), [])
  })

  test('have its levels: error is a warning, a plain call is debug', () => {
    const { logs, messages } = open({ components: { libp2p: 'trace' } })
    const log = logs.libp2p.forComponent('libp2p:tcp')
    log('plain')
    log.error('failed')
    log.trace('fine')
    log.newScope('inner')('scoped')
    assert.equal(log.enabled, true)
    assert.deepEqual(messages(), [
      'debug libp2p:tcp plain',
      'warn libp2p:tcp failed',
      'trace libp2p:tcp fine',
      'debug libp2p:tcp:inner scoped',
    ])
  })

  const cycle: Record<string, unknown> = { name: 'cycle' }
  cycle.self = cycle
  const formats: { id: string; args: [unknown, ...unknown[]]; text: string }[] = [
    { id: 'text', args: ['to %s', 'you'], text: 'to you' },
    { id: 'numbers', args: ['%d of %i', 1, 2], text: '1 of 2' },
    {
      id: 'an address',
      args: ['dial %a', multiaddr('/ip4/192.0.2.1/tcp/1')],
      text: 'dial /ip4/192.0.2.1/tcp/1',
    },
    { id: 'an error', args: ['failed - %e', new TypeError('no')], text: 'failed - TypeError: no' },
    { id: 'an object', args: ['frame %o', { type: 1, data: 'x' }], text: "frame { type: 1, data: 'x' }" },
    { id: 'an object with a big number', args: ['%j', { seqno: 7n }], text: '{ seqno: 7n }' },
    {
      id: 'an object without a prototype',
      args: ['%o', Object.assign(Object.create(null), { a: 1 })],
      text: '[Object: null prototype] { a: 1 }',
    },
    {
      id: 'an object that holds itself',
      args: ['%o', cycle],
      text: "<ref *1> { name: 'cycle', self: [Circular *1] }",
    },
    {
      id: 'bytes, cut short',
      args: ['%b', new Uint8Array(100)],
      text: 'Uint8Array(100) [ 0, 0, 0, 0, 0, 0, 0, 0, ... 92 more items ]',
    },
    { id: 'nothing', args: ['%s %o', undefined, null], text: 'undefined null' },
    { id: 'more letters than values', args: ['%s and %s', 'one'], text: 'one and %s' },
    { id: 'more values than letters', args: ['one', 'two', 3], text: 'one two 3' },
  ]
  for (const { id, args, text } of formats) {
    test(`write ${id} as text`, () => {
      const { logs, lines } = open({ components: { libp2p: 'debug' } })
      const [template, ...values] = args
      logs.libp2p.forComponent('libp2p')(template as string, ...values)
      assert.deepEqual(
        lines().map(({ msg }) => msg),
        [text],
      )
    })
  }

  test('write an error with its stack', () => {
    const { logs, lines } = open({ components: { libp2p: 'debug' } })
    logs.libp2p.forComponent('libp2p').error(new TypeError('no'))
    const [line] = lines() as [Line]
    const { err } = line as unknown as { err: { type: string; stack: string } }
    assert.equal(line.msg, 'no')
    assert.equal(err.type, 'TypeError')
    assert.match(err.stack, /log\.test\.ts/)
  })
})
