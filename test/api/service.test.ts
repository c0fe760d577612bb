import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { METHODS } from '../../src/api/messages.ts'
import type { Control } from '../../src/api/server.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import {
  addressInfo,
  DAY_MS,
  FakeLog,
  FakeNode,
  NOW_MS,
  OTHER_PEER,
  PEER,
  peerInfo,
  serve,
} from './support/node.ts'
import { callRaw, post } from './support/raw.ts'

const TIMEOUT_MS = 30_000

describe('the methods', { timeout: TIMEOUT_MS }, () => {
  let folder = ''
  let node = new FakeNode()
  let control: Control
  const log = new FakeLog()
  const called = new Set<string>()

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'floodgate-api-'))
  })
  beforeEach(async () => {
    await control?.close()
    node = new FakeNode()
    control = await serve(node, folder, { log })
  })
  after(async () => {
    await control.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const call = async (method: string, body: object = {}, status = 200): Promise<unknown> => {
    called.add(method)
    const answer = await callRaw(control.path, post(method, JSON.stringify(body)))
    assert.equal(answer?.status, status, JSON.stringify(answer?.body))
    assert.equal(answer?.headers['content-type'], 'application/json')
    return answer?.body
  }

  it('Peers', async () => {
    assert.deepEqual(await call('Peers'), { peers: [] })
    node.connected = [peerInfo({ rttMs: undefined }), peerInfo({ peer: PEER, score: -12.5 })]
    const { rttMs: _, ...first } = peerInfo()
    assert.deepEqual(await call('Peers'), { peers: [first, peerInfo({ peer: PEER, score: -12.5 })] })
  })

  it('Connect', async () => {
    const address = '/ip4/203.0.113.7/tcp/9000'
    assert.deepEqual(await call('Connect', { address }), { peer: OTHER_PEER })
    assert.deepEqual(await call('Connect', { address, keep: true }), { peer: OTHER_PEER })
    assert.deepEqual(node.asked, [`connect ${address}`, `connect ${address} and keep`])
    node.dial = async () => {
      throw new FloodgateError('DIAL', `cannot reach ${address}`)
    }
    assert.deepEqual(await call('Connect', { address }, 503), {
      code: 'unavailable',
      message: `cannot reach ${address}`,
    })
  })

  it('Disconnect', async () => {
    node.connected = [peerInfo()]
    assert.deepEqual(await call('Disconnect', { peer: OTHER_PEER }), {})
    assert.deepEqual(await call('Disconnect', { peer: PEER }, 404), {
      code: 'not_found',
      message: `no peer ${PEER}`,
    })
    assert.deepEqual(node.asked, [`disconnect ${OTHER_PEER}`, `disconnect ${PEER}`])
  })

  it('Ban, Bans, Unban', async () => {
    await call('Ban', { target: '203.0.113.0/24' })
    await call('Ban', { target: '198.51.100.1', forMs: 60_000, reason: 'spam' })
    const bans = node.bans()
    assert.deepEqual(
      bans.map(({ target, kind, sinceMs, untilMs, reason }) => [target, kind, untilMs - sinceMs, reason]),
      [
        ['203.0.113.0/24', 'cidr', DAY_MS, ''],
        ['198.51.100.1', 'ip', 60_000, 'spam'],
      ],
    )
    assert.deepEqual(await call('Bans'), { bans })
    assert.deepEqual(await call('Unban', { target: '198.51.100.1' }), { removed: true })
    assert.deepEqual(await call('Unban', { target: '198.51.100.1' }), { removed: false })
    assert.deepEqual(await call('Ban', { target: PEER }), { ban: node.bans()[1] })
  })

  it('Addresses: what worked last first, by table, in pages', async () => {
    const heard = (minute: number, endpoint: string) =>
      addressInfo({ endpoint, lastHeardMs: NOW_MS + minute * 60_000 })
    const tried = addressInfo({ endpoint: '192.0.2.1:1', isTried: true, lastSuccessMs: NOW_MS, peer: PEER })
    node.book = [heard(1, '192.0.2.2:1'), heard(2, '192.0.2.3:1'), tried, heard(1, '192.0.2.1:2')]
    const untouched = structuredClone(node.book)
    const ask = async (request: object): Promise<unknown> => {
      const { addresses, total } = (await call('Addresses', request)) as {
        addresses: { endpoint: string }[]
        total: number
      }
      return [addresses.map(({ endpoint }) => endpoint), total]
    }
    const inOrder = ['192.0.2.1:1', '192.0.2.3:1', '192.0.2.1:2', '192.0.2.2:1']
    assert.deepEqual(await ask({}), [inOrder, 4])
    assert.deepEqual(await ask({ table: 'tried' }), [inOrder.slice(0, 1), 1])
    assert.deepEqual(await ask({ table: 'new' }), [inOrder.slice(1), 3])
    assert.deepEqual(await ask({ limit: 2 }), [inOrder.slice(0, 2), 4])
    assert.deepEqual(await ask({ limit: 2, offset: 3 }), [inOrder.slice(3), 4])
    assert.deepEqual(await ask({ offset: 4 }), [[], 4])
    assert.deepEqual(await call('Addresses', { table: 'tried' }), { addresses: [tried], total: 1 })
    assert.deepEqual(node.book, untouched, 'the list of the node is not touched')
  })

  it('AddressStats', async () => {
    assert.deepEqual(await call('AddressStats'), node.stats)
  })

  it('Status', async () => {
    node.connected = [peerInfo(), peerInfo({ direction: 'inbound' }), peerInfo({ direction: 'inbound' })]
    node.stats = { ...node.stats, newAddresses: 7, triedAddresses: 3 }
    await node.ban(PEER, {})
    const { startedAtMs, ...status } = (await call('Status')) as { startedAtMs: number }
    assert.ok(Math.abs(startedAtMs - Date.now()) < TIMEOUT_MS)
    assert.deepEqual(status, {
      version: '1.2.3',
      peer: PEER,
      network: 'test',
      addresses: node.addresses(),
      inbound: 2,
      outbound: 1,
      bans: 1,
      newAddresses: 7,
      triedAddresses: 3,
    })
  })

  it('a method that crashes: a coded error, a line in the log, and the next call is answered', async () => {
    node.dial = async () => {
      throw new TypeError('a secret of ours')
    }
    const failure = { code: 'internal', message: 'the node has failed here; its log says more' }
    assert.deepEqual(await call('Connect', { address: '/ip4/192.0.2.1/tcp/1' }, 500), failure)
    assert.deepEqual(
      log.lines.map(([message, fields]) => [message, fields?.method]),
      [['a call of the control API failed', 'Connect']],
    )
    assert.match(String(log.lines[0]?.[1]?.error), /^TypeError: a secret of ours\n +at /)
    // What cannot be JSON, and what throws at once, are crashes too.
    node.stats = { ...node.stats, newAddresses: 1n as unknown as number }
    assert.deepEqual(await call('AddressStats', {}, 500), failure)
    node.peers = () => {
      throw 'no error at all'
    }
    assert.deepEqual(await call('Peers', {}, 500), failure)
    assert.equal(log.lines.length, 3)
    assert.deepEqual(await call('Bans'), { bans: [] })
  })

  it('were all called here', () => {
    assert.deepEqual([...called].sort(), Object.keys(METHODS).sort())
  })
})
