/**
 * `npm run sim:versions`: the same scenario and seed on two versions of Node must give the same trace hash.
 *
 * Nodes 22 and 24 come from npm, into a temporary folder. Skipped with a reason where there is no such package for the
 * system, or no registry; with `CI_STRICT=1` that is a failure.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const VERSIONS = ['22', '24']

const root = fileURLToPath(new URL('..', import.meta.url))

/** Crashes, restarts and lost packets: much that could differ. Short, as it runs twice. */
const SCENARIO = ['sim', `${root}scenarios/crash-restart.yaml`, '--seed', '7', '--for', '100s', '--json']

function skip(reason: string): void {
  console.log(`skipped: ${reason}`)
  if (process.env.CI_STRICT === '1') process.exitCode = 1
}

/** The path of a Node of that version. */
function install(version: string, folder: string): string {
  const name = `node-linux-${process.arch}`
  const options = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--loglevel', 'error']
  execFileSync('npm', ['install', ...options, '--prefix', folder, `${name}@${version}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 240_000,
  })
  return join(folder, 'node_modules', name, 'bin', 'node')
}

function hashOn(node: string): { version: string; hash: string } {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
  const args = [`${root}src/cli/main.ts`, ...SCENARIO]
  const output = execFileSync(node, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  return { version, hash: (JSON.parse(output) as { traceHash: string }).traceHash }
}

const folder = mkdtempSync(join(tmpdir(), 'floodgate-versions-'))
try {
  if (process.platform !== 'linux') {
    skip(`Node comes from npm for Linux only, this is ${process.platform}`)
  } else {
    let nodes: string[] = []
    try {
      nodes = VERSIONS.map(version => install(version, join(folder, version)))
    } catch (error) {
      skip(`Node could not be installed: ${(error as Error).message}`)
    }
    const runs = nodes.map(hashOn)
    for (const { version, hash } of runs) console.log(`${version}  ${hash}`)
    if (new Set(runs.map(({ hash }) => hash)).size > 1) {
      console.log('FAILED: the runs differ')
      process.exitCode = 1
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
