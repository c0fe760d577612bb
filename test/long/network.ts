/**
 * Thirty nodes on one host, with the `local` preset: everything that each of them propagates reaches all others, once.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { deliverAll, Pool, untilAll } from '../e2e/support/pool.ts'

const NODES = 30
const PROCESSES = 6

/** As many as gossip wants for a mesh. */
const ENOUGH = 6

describe('thirty nodes on one host', () => {
  const pool = new Pool(PROCESSES)
  after(() => pool.close())

  test('deliver everything when each is told of the four before it', { timeout: 180_000 }, async () => {
    const nodes = await pool.startNodes(NODES, (_, before) => ({
      network: 'given',
      onlyPeers: true,
      peers: before.slice(-4).map(({ address }) => address),
    }))
    await deliverAll(nodes)
    await Promise.all(nodes.map(node => node.stop()))
  })

  test('find each other when all are told of one, and deliver everything', { timeout: 240_000 }, async t => {
    const folder = await mkdtemp(join(tmpdir(), 'floodgate-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const bootstrapFile = join(folder, 'bootstrap-peers.json')
    const nodes = await pool.startNodes(NODES, async (_, before) => {
      const list = before.slice(0, 1).map(({ address }) => address)
      await writeFile(bootstrapFile, JSON.stringify({ automatic: list }))
      return { network: 'automatic', bootstrapFile }
    })
    const snapshots = await untilAll('each has found enough others', nodes, all =>
      all.every(({ peers }) => peers.length >= ENOUGH),
    )
    // By the first one alone there would be as many links as there are others.
    const links = snapshots.reduce((sum, { peers }) => sum + peers.length, 0) / 2
    t.diagnostic(`${links} links`)
    assert.ok(links > NODES)
    await deliverAll(nodes)
    await Promise.all(nodes.map(node => node.stop()))
  })
})
