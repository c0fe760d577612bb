/**
 * A flood of sockets that never shake hands does not keep honest peers out. One host that opens five such sockets a
 * second shuts a default libp2p node to everyone.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Node, NodeConfig } from '../../src/index.ts'
import { type Flood, startFlood } from './support/flood.ts'
import { startNodeAt, tcpFrom } from './support/loopback.ts'
import { addressOf } from './support/nodes.ts'
import { until } from './support/until.ts'

const HOST = '127.0.0.1'

/** Sockets that were opened and whose end has not been seen yet, beside those that are let in. */
const UNDER_WAY = 20

const FLOODS: { id: string; ips: string[]; heldMax: number; connections?: NodeConfig['connections'] }[] = [
  // `pendingPerIpMax`
  { id: 'from one address', ips: ['127.1.0.1'], heldMax: 2 },
  // `perGroupMax`
  { id: 'from 20 addresses of one group', ips: range(20).map(n => `127.1.0.${n + 1}`), heldMax: 8 },
  // `pendingPerIpMax` for each
  { id: 'from 20 addresses in 20 groups', ips: range(20).map(n => `127.${n + 1}.0.1`), heldMax: 40 },
  // `pendingInboundMax`; with default timeouts, or most of the sockets would be gone before there are too many.
  {
    id: 'from 64 addresses in 64 groups',
    ips: range(64).map(n => `127.${n + 1}.0.1`),
    heldMax: 128,
    connections: {},
  },
  {
    id: 'from 90 addresses in 90 groups, for fewer places',
    ips: range(90).map(n => `127.${n + 1}.0.1`),
    heldMax: 64,
    connections: { pendingInboundMax: 64 },
  },
  // `pendingInboundMax` alone
  {
    id: 'from one address, without limits for it',
    ips: ['127.1.0.1'],
    heldMax: 128,
    connections: {
      perIpMax: 10_000,
      pendingPerIpMax: 10_000,
      perGroupMax: 10_000,
      inboundPerSecondPerHost: 10_000,
    },
  },
]

const HONEST = 20
const ROUNDS = 2

/** Places are turned over a few times while the test runs. */
const CONNECTIONS = { upgradeTimeoutMs: 1_000 }

/** What a thousand sockets may leave behind: a few objects each that wait for a timer. */
const LEFT_BYTES_MAX = 3_000_000

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** Honest nodes, each in a group of its own. */
function startHonest(t: TestContext): Promise<Node[]> {
  return Promise.all(range(HONEST).map(n => startNodeAt(t, `127.${n + 100}.0.1`)))
}

/** The share of dials that end with a handshake. */
async function successOf(honest: readonly Node[], address: string): Promise<number> {
  let succeeded = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (const peer of honest) {
      const isIn = await peer.connect(address).then(
        () => true,
        () => false,
      )
      if (isIn) succeeded++
      await peer.disconnect(address.split('/').at(-1) ?? '')
    }
  }
  return succeeded / (honest.length * ROUNDS)
}

async function startFlooded(
  t: TestContext,
  ips: readonly string[],
  connections: NodeConfig['connections'],
): Promise<{ node: Node; flood: Flood }> {
  const node = await startNodeAt(t, HOST, { connections })
  const flood = startFlood(t, Number(addressOf(node).split('/')[4]), HOST, ips)
  await until('the flood has begun', () => flood.opened >= 200)
  return { node, flood }
}

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

for (const { id, ips, heldMax, connections = CONNECTIONS } of FLOODS) {
  test(`honest peers get in during a flood of silent, slow and half-open sockets ${id}`, {
    timeout: 60_000,
  }, async t => {
    const honest = await startHonest(t)
    const { node, flood } = await startFlooded(t, ips, connections)
    const success = await successOf(honest, addressOf(node))
    t.diagnostic(`${success * 100} % of ${HONEST * ROUNDS} dials have succeeded`)
    assert.ok(success >= 0.9)

    const before = { bytes: heapBytes(), opened: flood.opened }
    await until('many more sockets were opened', () => flood.opened - before.opened >= 1_000, 30_000)
    const leftBytes = heapBytes() - before.bytes
    t.diagnostic(`${flood.most} of ${flood.opened} sockets were open at once, ${leftBytes} bytes are left`)
    assert.ok(flood.most <= heldMax + UNDER_WAY)
    assert.ok(leftBytes < LEFT_BYTES_MAX)
  })
}

test('the same flood shuts a node of plain libp2p', { timeout: 60_000 }, async t => {
  const honest = await startHonest(t)
  const plain = await createLibp2p({
    addresses: { listen: [`/ip4/${HOST}/tcp/0`] },
    transports: [tcpFrom(HOST)],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  t.after(() => plain.stop())
  const address = String(plain.getMultiaddrs()[0])
  const flood = startFlood(t, Number(address.split('/')[4]), HOST, ['127.1.0.1'])
  await until('the flood has begun', () => flood.opened >= 600)
  const success = await successOf(honest, address)
  t.diagnostic(`${success * 100} % of ${HONEST * ROUNDS} dials, ${flood.most} sockets at most`)
  assert.ok(success < 0.9, 'the flood is none')
})
