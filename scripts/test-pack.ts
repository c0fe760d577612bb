/**
 * `npm run test:pack`: the packed package in an empty folder, as a stranger gets it.
 *
 * Installs the tarball, runs its bin, imports the library and a cluster from it, and looks for files that do not
 * belong into a package. Slow (it installs every dependency again), hence no part of `npm test`.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'floodgate-pack-'))

const LIBRARY_TRY = `
import { createNode, messageHex, messageId } from 'floodgate'
const node = await createNode({ preset: 'local', log: { level: 'silent' } })
await node.start()
await node.stop()
console.log(messageHex(messageId('t', new Uint8Array())))
`

function run(command: string, ...args: string[]): string {
  console.log(`$ ${command} ${args.join(' ')}`)
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 240_000,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

try {
  const [packed] = JSON.parse(run('npm', 'pack', '--json', '--pack-destination', folder, root)) as {
    filename: string
    files: { path: string }[]
  }[]
  assert.ok(packed !== undefined)
  const stray = packed.files
    .map(file => file.path)
    .filter(path => /^(src|test|bench|scripts|node_modules|tools)\//.test(path))
  assert.deepEqual(stray, [], 'these files do not belong into the package')

  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module' }),
  )
  run('npm', 'install', '--no-audit', '--no-fund', join(folder, packed.filename))
  const bin = join(folder, 'node_modules', '.bin', 'floodgate')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.equal(JSON.parse(run(bin, 'version', '--json')).floodgate, version)

  writeFileSync(join(folder, 'try.mjs'), LIBRARY_TRY)
  assert.match(run(process.execPath, 'try.mjs'), /^[0-9a-f]{40}\n$/)

  const report = JSON.parse(run(bin, 'cluster', '--nodes', '3', '--for', '2s', '--json'))
  assert.equal(report.coverage, 1)
  run(bin, 'init', '--dir', 'made')
  assert.deepEqual(readdirSync(join(folder, 'made')).sort(), [
    'floodgate-data',
    'floodgate.schema.json',
    'floodgate.yaml',
  ])
  console.log(`the package works: ${packed.files.length} files`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
