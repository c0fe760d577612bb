import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nest, readText, resolvePaths } from '../../src/config/text.ts'

const cases: { id: string; path: string[]; text: string; expected: unknown }[] = [
  { id: 'a text that looks like a number', path: ['network'], text: '123', expected: '123' },
  { id: 'a text that looks like YAML', path: ['dataDir'], text: '*a: #b', expected: '*a: #b' },
  { id: 'a text in quotes', path: ['network'], text: '"null"', expected: 'null' },
  { id: 'a text with one quote', path: ['dataDir'], text: '"a', expected: '"a' },
  { id: 'a word', path: ['log', 'level'], text: 'debug', expected: 'debug' },
  { id: 'a number', path: ['gossip', 'degree'], text: '7', expected: 7 },
  { id: 'a number that is none', path: ['gossip', 'degree'], text: 'seven', expected: 'seven' },
  { id: 'true', path: ['gossip', 'penaliseSharedIp'], text: 'true', expected: true },
  { id: 'null', path: ['score', 'dropBelow'], text: 'null', expected: null },
  { id: 'one item', path: ['peers'], text: '/a', expected: ['/a'] },
  { id: 'items with spaces and an empty one', path: ['peers'], text: ' /a , /b,, ', expected: ['/a', '/b'] },
  { id: 'items in brackets', path: ['peers'], text: ' [/a, "/b,c"]', expected: ['/a', '/b,c'] },
  { id: 'no items', path: ['peers'], text: '[]', expected: [] },
  {
    id: 'a record as YAML',
    path: ['topics'],
    text: 'tx: { concurrency: 1 }',
    expected: { tx: { concurrency: 1 } },
  },
  {
    id: 'a record as JSON',
    path: ['topics'],
    text: '{"tx":{"concurrency":1}}',
    expected: { tx: { concurrency: 1 } },
  },
  { id: 'a section', path: ['gossip'], text: '{ degree: 7 }', expected: { degree: 7 } },
  { id: 'a key of one topic', path: ['topics', 'a.b', 'concurrency'], text: '7', expected: 7 },
  { id: 'broken YAML', path: ['topics'], text: '{ tx: [', expected: '{ tx: [' },
  { id: 'an unknown key', path: ['no', 'such'], text: '7', expected: 7 },
]

describe('values written as text', () => {
  for (const { id, path, text, expected } of cases) {
    it(`reads ${id}`, () => assert.deepEqual(readText(path, text), expected))
  }

  it('never fails', () => {
    const paths = fc.constantFrom(['network'], ['peers'], ['topics'], ['gossip', 'degree'], ['nothing'])
    fc.assert(fc.property(paths, fc.string(), (path, text) => void readText(path, text)))
  })

  it('nests a value without touching prototypes', () => {
    assert.deepEqual(nest(['a', 'b.c', 'd'], 1), { a: { 'b.c': { d: 1 } } })
    const odd = nest(['__proto__', 'polluted'], 1) as object
    assert.ok(Object.hasOwn(odd, '__proto__'))
    assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false)
  })

  it('makes the paths among the keys absolute, and nothing else', () => {
    const values = {
      dataDir: 'd',
      identityFile: '../k',
      bootstrapFile: '/b',
      network: 'n',
      gossip: { dataDir: 'x' },
    }
    assert.deepEqual(resolvePaths(values, '/base'), {
      dataDir: '/base/d',
      identityFile: '/k',
      bootstrapFile: '/b',
      network: 'n',
      gossip: { dataDir: 'x' },
    })
    assert.deepEqual(resolvePaths({ dataDir: 5, identityFile: '' }, '/base'), {
      dataDir: 5,
      identityFile: '',
    })
    for (const other of [null, 5, 'dataDir', ['dataDir']])
      assert.deepEqual(resolvePaths(other, '/base'), other)
  })
})
