import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { idCommand } from '../../src/cli/id.ts'
import { loadIdentity } from '../../src/io/identity.ts'

describe('floodgate id', () => {
  let cwd = ''
  before(() => {
    cwd = mkdtempSync(join(tmpdir(), 'floodgate-id-'))
  })
  after(() => rmSync(cwd, { recursive: true, force: true }))

  const run = async (...words: string[]): Promise<string> => {
    let printed = ''
    const stdout = { write: (text: string) => (printed += text) }
    await idCommand({ env: {}, cwd, stdout }).parseAsync(words, { from: 'user' })
    return printed
  }

  it('fails before there is an identity, and makes none', async () => {
    await assert.rejects(run(), { code: 'IDENTITY' })
    assert.deepEqual(readdirSync(cwd), [])
  })

  it('prints the peer id of the identity file, wherever it is configured to be', async () => {
    const byDefault = await loadIdentity(join(cwd, 'floodgate-data', 'identity.key'), { create: true })
    const identityFile = join(cwd, 'elsewhere.key')
    const other = await loadIdentity(identityFile, { create: true })
    assert.equal(await run(), `${byDefault.peer}\n`)
    assert.equal(await run('--set', 'identityFile=elsewhere.key'), `${other.peer}\n`)
    assert.deepEqual(JSON.parse(await run('--json', '--set', 'identityFile=elsewhere.key')), {
      peer: other.peer,
      identityFile,
    })
  })
})
