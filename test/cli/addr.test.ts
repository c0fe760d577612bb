import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { addrCommand } from '../../src/cli/addr.ts'
import { addressInfo, NOW_MS } from '../api/support/node.ts'
import { beside } from './support/program.ts'

const ESCAPE = '\x1b['

describe('floodgate addr ls', { timeout: 60_000 }, () => {
  it('shows addresses of both tables or one', async t => {
    const one = await beside(t, addrCommand)
    assert.equal(await one.run('ls'), 'no addresses\n')
    const tried = addressInfo({ endpoint: '192.0.2.1:1', isTried: true, lastSuccessMs: NOW_MS })
    one.node.book = [addressInfo(), tried]
    const endpoints = async (...words: string[]): Promise<string[]> =>
      [...(await one.run('ls', ...words)).matchAll(/^ *(\d+\.\S+:\d+)/gm)].map(match => match[1] ?? '')
    assert.deepEqual(await endpoints(), ['192.0.2.1:1', '198.51.100.1:9000'])
    assert.deepEqual(await endpoints('--tried'), ['192.0.2.1:1'])
    assert.deepEqual(await endpoints('--new'), ['198.51.100.1:9000'])
    assert.match(await one.run('ls', '--limit', '1'), /^ *192\.0\.2\.1:1 .*\nand 1 more \(--limit\)\n$/m)
    const { peer: _, ...json } = tried
    assert.deepEqual(JSON.parse(await one.run('ls', '--json', '--tried')), { addresses: [json], total: 1 })
  })

  it('asks for as many as are wanted, in pages', async t => {
    const one = await beside(t, addrCommand)
    one.node.book = Array.from({ length: 25_000 }, (_, i) =>
      addressInfo({ endpoint: `192.0.${i >> 8}.${i & 255}:1` }),
    )
    const count = async (limit: number): Promise<[number, number, number]> => {
      const { addresses, total } = JSON.parse(await one.run('ls', '--json', '--limit', String(limit)))
      const distinct = new Set(addresses.map((address: { endpoint: string }) => address.endpoint))
      return [addresses.length, distinct.size, total]
    }
    assert.deepEqual(await count(10_001), [10_001, 10_001, 25_000])
    assert.deepEqual(await count(20_000), [20_000, 20_000, 25_000])
    assert.deepEqual(await count(1_000_000_000), [25_000, 25_000, 25_000])
  })
})

describe('floodgate addr stats', { timeout: 60_000 }, () => {
  it('fits the terminal, and has colours there alone', async t => {
    const one = await beside(t, addrCommand)
    const newBuckets = Array.from({ length: 1_024 }, (_, i) => i % 65)
    one.node.stats = { ...one.node.stats, newBuckets, newAddresses: newBuckets.reduce((a, b) => a + b) }
    const plain = await one.run('stats')
    assert.equal(plain.includes(ESCAPE), false)
    assert.match(plain, /^ {2}64 {2}\S{64}$/m)
    // Only a terminal has a width.
    assert.equal(await one.runOn({}, { columns: 200 }, 'stats'), plain)
    const terminal = { isTTY: true, columns: 40 }
    const narrow = await one.runOn({}, terminal, 'stats')
    assert.ok(narrow.includes(ESCAPE))
    const uncoloured = stripVTControlCharacters(narrow)
    assert.match(uncoloured, /^ {2}32 {2}\S{32}$/m)
    assert.equal(await one.runOn({ NO_COLOR: '1' }, terminal, 'stats'), uncoloured)
    assert.equal(await one.runOn({ TERM: 'dumb' }, terminal, 'stats'), uncoloured)
    assert.equal(await one.runOn({ NO_COLOR: '' }, terminal, 'stats'), narrow)
    assert.deepEqual(JSON.parse(await one.run('stats', '--json')), one.node.stats)
  })

  it('is a command of the program, with its exit codes', async t => {
    const one = await beside(t, addrCommand)
    const shown = await one.program('addr', 'stats')
    assert.deepEqual([shown.code, shown.stderr], [0, ''])
    assert.match(shown.stdout, /^tried: reached before, 0 addresses$/m)
    const cases: [words: string[], code: number, says: RegExp][] = [
      [['ls', '--tried', '--new'], 2, /cannot be used with option/],
      [['ls', '--limit', '0'], 2, /Expected a whole number above 0/],
      [['stats', '--data-dir', 'elsewhere'], 1, /^floodgate: no node runs/],
    ]
    for (const [words, code, says] of cases) {
      const ended = await one.program('addr', ...words)
      assert.deepEqual([ended.code, ended.stdout], [code, ''], words.join(' '))
      assert.match(ended.stderr, says)
    }
  })
})
