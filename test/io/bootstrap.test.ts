import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { FloodgateError } from '../../src/core/errors.ts'
import { bootstrapPeers, readBootstrap } from '../../src/io/bootstrap.ts'
import { FakeLog } from '../fixtures/fakes.ts'

const ADDRESS = '/ip4/203.0.113.7/tcp/9000/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

describe('bootstrap file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
  after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'bootstrap-peers.json')
  const { signal } = new AbortController()

  const good: { id: string; text: string; addresses: string[] }[] = [
    {
      id: 'the addresses of the network',
      text: `{ "demo": ["${ADDRESS}"], "other": ["/dns4/x"] }`,
      addresses: [ADDRESS],
    },
    { id: 'an empty list', text: '{ "demo": [] }', addresses: [] },
    { id: 'another network only', text: '{ "other": ["/dns4/x"] }', addresses: [] },
    { id: 'no network', text: '{}', addresses: [] },
  ]
  for (const { id, text, addresses } of good) {
    test(id, async () => {
      writeFileSync(file, text)
      assert.deepEqual(await readBootstrap(file, 'demo', signal), addresses)
    })
  }

  test('a network with the name of something that every object has', async () => {
    writeFileSync(file, '{}')
    assert.deepEqual(await readBootstrap(file, 'constructor', signal), [])
  })

  const bad: { id: string; text: string; message: RegExp }[] = [
    { id: 'no JSON', text: '{ demo: [] }', message: /JSON/ },
    { id: 'an empty file', text: '', message: /JSON/ },
    { id: 'a list', text: '[]', message: /expected/ },
    { id: 'null', text: 'null', message: /expected/ },
    { id: 'a text in place of a list', text: `{ "demo": "${ADDRESS}" }`, message: /expected/ },
    { id: 'a number in the list', text: '{ "demo": [7] }', message: /expected/ },
  ]
  for (const { id, text, message } of bad) {
    test(`refused: ${id}`, async () => {
      writeFileSync(file, text)
      await assert.rejects(readBootstrap(file, 'demo', signal), { code: 'CONFIG', message })
    })
  }

  test('a file that is not there is named', async () => {
    const missing = join(folder, 'missing.json')
    await assert.rejects(readBootstrap(missing, 'demo', signal), {
      code: 'CONFIG',
      message: /missing\.json.*ENOENT/,
    })
  })

  test('gives up with the reason of its signal', async () => {
    writeFileSync(file, '{}')
    const reason = new FloodgateError('STOPPED', 'stopped')
    const abort = new AbortController()
    const reading = readBootstrap(file, 'demo', abort.signal)
    abort.abort(reason)
    await assert.rejects(reading, reason)
    await assert.rejects(readBootstrap(file, 'demo', AbortSignal.abort(reason)), reason)
  })
})

describe('bootstrap peers', () => {
  const named = '/dns4/node.example/tcp/9000/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
  const behind = '/dnsaddr/node.example/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'

  const lists: { id: string; list: string[]; taken: string[]; leftOut: string[] }[] = [
    { id: 'none', list: [], taken: [], leftOut: [] },
    {
      id: 'addresses and names, in order',
      list: [named, ADDRESS, behind],
      taken: [named, ADDRESS, behind],
      leftOut: [],
    },
    {
      id: 'without a peer id, beside good ones',
      list: ['/ip4/203.0.113.7/tcp/9000', ADDRESS, '/dnsaddr/node.example'],
      taken: [ADDRESS],
      leftOut: ['/ip4/203.0.113.7/tcp/9000', '/dnsaddr/node.example'],
    },
    { id: 'without a peer id only', list: ['/dns4/x/tcp/1'], taken: [], leftOut: ['/dns4/x/tcp/1'] },
    {
      id: 'no multiaddr',
      list: ['node.example:9000', ADDRESS, ''],
      taken: [ADDRESS],
      leftOut: ['node.example:9000', ''],
    },
    {
      id: 'a peer id that is none',
      list: ['/ip4/203.0.113.7/tcp/9000/p2p/somebody', '/ip4/203.0.113.7/tcp/9000/p2p/bafkqaaa', ADDRESS],
      taken: [ADDRESS],
      leftOut: ['/ip4/203.0.113.7/tcp/9000/p2p/somebody', '/ip4/203.0.113.7/tcp/9000/p2p/bafkqaaa'],
    },
  ]
  for (const { id, list, taken, leftOut } of lists) {
    test(id, async () => {
      const log = new FakeLog()
      assert.deepEqual(await bootstrapPeers(list, log), taken)
      assert.deepEqual(
        log.lines.map(({ level, fields }) => [level, fields.address]),
        leftOut.map(address => ['warn', address]),
      )
    })
  }
})
