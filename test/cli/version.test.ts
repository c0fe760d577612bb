import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { versionCommand, versions } from '../../src/cli/version.ts'

function run(...words: string[]): string {
  let printed = ''
  const stdout = { write: (text: string) => (printed += text) }
  versionCommand({ env: {}, cwd: '/', stdout }).parse(words, { from: 'user' })
  return printed
}

/** The version that is installed, from the package itself. */
function installed(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

it('the versions are those that are installed', () => {
  const { floodgate, ...others } = versions()
  assert.match(floodgate, /^\d+\.\d+\.\d+/)
  assert.deepEqual(others, {
    node: process.versions.node,
    libp2p: installed('libp2p'),
    gossipsub: installed('@libp2p/gossipsub'),
  })
})

it('floodgate version prints a line for each, or JSON', () => {
  assert.deepEqual(JSON.parse(run('--json')), versions())
  const expected = Object.entries(versions()).map(([name, version]) => `${name} ${version}\n`)
  assert.equal(run(), expected.join(''))
})
