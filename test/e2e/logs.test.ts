/**
 * What a whole node writes to standard error: records that a program can read, names of what it waits for, and never
 * a secret.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { addressOf, gather, makeNode } from './support/nodes.ts'
import { spawnNode } from './support/process.ts'
import { until } from './support/until.ts'

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The ways in which bytes may stand in a text; of those that put something between them, the beginning. */
function spellings(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes)
  const first = [...bytes].slice(0, 8)
  const pairs = first.map(byte => byte.toString(16).padStart(2, '0')).join(' ')
  const entries = first.map((byte, index) => `"${index}":${byte}`).join(',')
  const base64 = buffer.toString('base64').replace(/=+$/, '')
  return [
    buffer.toString('hex'),
    base64,
    buffer.toString('base64url'),
    first.join(','),
    first.join(', '),
    pairs,
    entries,
  ]
}

test('a node that logs everything logs no secret', { timeout: 60_000 }, async t => {
  const other = await makeNode(t)
  const inbox = gather(other)
  await other.start()
  const dataDir = temporaryFolder(t)
  const log = { level: 'trace', format: 'json', components: { libp2p: 'trace' } } as const
  const node = spawnNode(t, { dataDir, log }, addressOf(other))
  await until('its message is there', () => inbox.length === 1, 30_000)
  await node.stop()

  const file = readFileSync(join(dataDir, 'identity.key'), 'utf8').trim()
  const key = Buffer.from(file, 'base64')
  // An Ed25519 key in libp2p's form is the seed and the public key; the seed is the secret.
  const seed = privateKeyFromProtobuf(key).raw.subarray(0, 32)
  for (const text of [file, ...spellings(key), ...spellings(seed)]) {
    assert.equal(node.log.includes(text), false, 'the private key stands in the log')
  }
  const components = new Set(node.records().map(record => record.component))
  for (const component of ['node', 'libp2p', 'libp2p:gossipsub'])
    assert.ok(components.has(component), `nothing of ${component}`)
  assert.ok(
    node
      .records()
      .every(
        ({ level, time, msg }) =>
          typeof level === 'number' && typeof time === 'number' && typeof msg === 'string',
      ),
  )
  assert.ok(!node.log.includes('[object Object]'), 'something was logged that says nothing')
})

test('a start that takes long says what it waits for, and can be stopped', { timeout: 60_000 }, async t => {
  const folder = temporaryFolder(t)
  const bootstrapFile = join(folder, 'bootstrap-peers.json')
  // Whoever opens a pipe for reading waits until somebody opens it for writing.
  execFileSync('mkfifo', [bootstrapFile])
  const config = { bootstrapFile, watchdog: { slowStartMs: 100 }, log: { format: 'json' } } as const

  const stopped = spawnNode(t, config)
  await stopped.logs(/still starting/)
  stopped.child.stdin.end()
  await stopped.says(/^stopped$/m)
  assert.match(stopped.output, /^failed STOPPED$/m)
  writeFileSync(bootstrapFile, '{}')
  await stopped.ended()

  const node = spawnNode(t, config)
  await node.logs(/still starting/)
  writeFileSync(bootstrapFile, '{}')
  await node.ready()
  await node.stop()
  const warnings = node.records().filter(record => record.msg === 'still starting')
  assert.deepEqual(new Set(warnings.map(record => record.waitingFor)), new Set(['the bootstrap file']))
})
