/**
 * The data folder of whole nodes: one node at a time, one network for ever, and never a reason not to start.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createNode, type Node } from '../../src/index.ts'
import { makeNode } from './support/nodes.ts'
import { spawnNode } from './support/process.ts'
import { seededBytes } from './support/seed.ts'

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('a second node on a data folder is refused, in another process or in this one', {
  timeout: 60_000,
}, async t => {
  const dataDir = temporaryFolder(t)
  const other = spawnNode(t, { dataDir, log: { format: 'json' } })
  const address = await other.ready()
  const node = await makeNode(t, { dataDir })
  await assert.rejects(node.start(), { code: 'IN_USE', message: new RegExp(dataDir) })

  // The first one is undisturbed.
  const visitor = await makeNode(t)
  await visitor.start()
  assert.equal(await visitor.connect(address), node.peer)
  await other.stop()

  await node.start()
  const twin = await makeNode(t, { dataDir })
  await assert.rejects(twin.start(), { code: 'IN_USE' })
  assert.equal(node.addresses().length, 1)
})

test('after kill -9 the node starts again on its folder, as the same peer', { timeout: 60_000 }, async t => {
  const dataDir = temporaryFolder(t)
  const first = spawnNode(t, { dataDir })
  const peer = /\/p2p\/(\S+)/.exec(await first.ready())?.[1]
  await first.kill()
  const node = await makeNode(t, { dataDir })
  await node.start()
  assert.equal(node.peer, peer)
})

test('a folder that belongs to another network is refused', { timeout: 20_000 }, async t => {
  const dataDir = temporaryFolder(t)
  const node = await makeNode(t, { dataDir, network: 'one' })
  await node.start()
  await node.stop()
  const stranger = await makeNode(t, { dataDir, network: 'two' })
  await assert.rejects(stranger.start(), { code: 'CONFIG', message: /belongs to network one, not to two/ })
  // A refusal changes nothing: the owner can still use it.
  await node.start()
})

test('a node whose store is damaged starts with its old identity and an empty store', {
  timeout: 20_000,
}, async t => {
  const bytes = seededBytes(t)
  const dataDir = temporaryFolder(t)
  const { peer } = await lifeOf(dataDir)
  const store = join(dataDir, 'store')
  for (const name of readdirSync(store)) writeFileSync(join(store, name), bytes(200))

  const node = await makeNode(t, { dataDir, network: 'another' })
  await node.start()
  assert.equal(node.peer, peer)
  assert.deepEqual(readdirSync(dataDir).filter(name => name.startsWith('store.damaged-')).length, 1)
})

/** A node that has lived on a folder. */
async function lifeOf(dataDir: string): Promise<Node> {
  const node = await createNode({ preset: 'local', dataDir, log: { level: 'silent' } })
  await node.start()
  await node.stop()
  return node
}

test('a node whose identity cannot be read does not begin a new one', { timeout: 20_000 }, async t => {
  const dataDir = temporaryFolder(t)
  await lifeOf(dataDir)
  const file = join(dataDir, 'identity.key')
  const spoilt = readFileSync(file, 'utf8').slice(0, 40)
  writeFileSync(file, spoilt)
  await assert.rejects(makeNode(t, { dataDir }), { code: 'IDENTITY' })
  assert.equal(readFileSync(file, 'utf8'), spoilt)
})
