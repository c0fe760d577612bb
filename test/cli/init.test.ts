import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Command } from 'commander'
import { configCommand } from '../../src/cli/config.ts'
import type { CommandContext } from '../../src/cli/flags.ts'
import { idCommand } from '../../src/cli/id.ts'
import { initCommand } from '../../src/cli/init.ts'
import { configJsonSchema } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { parseConfig } from '../../src/config/parse.ts'

describe('floodgate init', () => {
  let root = ''
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'floodgate-init-'))
  })
  after(() => rmSync(root, { recursive: true, force: true }))

  const run = async (
    make: (context: CommandContext) => Command,
    cwd: string,
    ...words: string[]
  ): Promise<string> => {
    let printed = ''
    const stdout = { write: (text: string) => (printed += text) }
    await make({ env: {}, cwd, stdout }).parseAsync(words, { from: 'user' })
    return printed
  }
  const fresh = (): string => mkdtempSync(join(root, 'case-'))

  it('makes a folder that is ready to start', async () => {
    const cwd = fresh()
    const printed = await run(initCommand, cwd)
    assert.deepEqual(readdirSync(cwd).toSorted(), [
      'floodgate-data',
      'floodgate.schema.json',
      'floodgate.yaml',
    ])
    const identity = join(cwd, 'floodgate-data', 'identity.key')
    assert.equal(statSync(identity).mode & 0o777, 0o600)
    assert.deepEqual(JSON.parse(readFileSync(join(cwd, 'floodgate.schema.json'), 'utf8')), configJsonSchema())

    const { config, file } = loadConfig({ cwd })
    assert.equal(file, 'floodgate.yaml')
    assert.deepEqual(config, parseConfig({ dataDir: join(cwd, 'floodgate-data') }))
    assert.equal(config.identityFile, identity)

    const peer = (await run(idCommand, cwd)).trim()
    assert.match(peer, /^12D3KooW\w+$/)
    assert.match(printed, /^made floodgate-data\/identity\.key\nwrote floodgate\.yaml\n/)
    assert.match(
      printed,
      new RegExp(`The peer id of this node is ${peer}\nStart it with: floodgate start\n$`),
    )
    assert.equal(await run(configCommand, cwd, 'check'), 'ok floodgate.yaml\n')
  })

  it('makes it elsewhere, with a network and a preset', async () => {
    const cwd = fresh()
    const printed = await run(initCommand, cwd, '--dir', 'a/b', '--network', 'demo', '--preset', 'local')
    assert.match(printed, /Start it with: floodgate start --config a\/b\/floodgate\.yaml\n$/)
    const { config } = loadConfig({ cwd, file: 'a/b/floodgate.yaml' })
    const dataDir = join(cwd, 'a', 'b', 'floodgate-data')
    assert.deepEqual(config, parseConfig({ network: 'demo', preset: 'local', dataDir }))
    assert.ok(existsSync(join(dataDir, 'identity.key')))
    assert.deepEqual(readdirSync(cwd), ['a'])
  })

  it('overwrites nothing, and says what is in the way', async () => {
    const cwd = fresh()
    writeFileSync(join(cwd, 'floodgate.yaml'), 'mine')
    await assert.rejects(run(initCommand, cwd), {
      code: 'CONFIG',
      message: 'floodgate.yaml exists already; --force overwrites, except the identity',
    })
    assert.deepEqual(readdirSync(cwd), ['floodgate.yaml'])
    writeFileSync(join(cwd, 'floodgate.schema.json'), 'mine')
    await assert.rejects(
      run(initCommand, cwd),
      /^FloodgateError: floodgate\.yaml and floodgate\.schema\.json exist already/,
    )
    assert.equal(readFileSync(join(cwd, 'floodgate.yaml'), 'utf8'), 'mine')
  })

  it('keeps the identity, with --force as well', async () => {
    const cwd = fresh()
    await run(initCommand, cwd)
    const identity = join(cwd, 'floodgate-data', 'identity.key')
    const key = readFileSync(identity, 'utf8')
    writeFileSync(join(cwd, 'floodgate.yaml'), 'mine')
    const printed = await run(initCommand, cwd, '--force')
    assert.match(printed, /^kept floodgate-data\/identity\.key\nwrote floodgate\.yaml\n/)
    assert.equal(readFileSync(identity, 'utf8'), key)
    assert.match(readFileSync(join(cwd, 'floodgate.yaml'), 'utf8'), /^# yaml-language-server/)
  })

  it('writes no configuration beside an identity that cannot be used', async () => {
    const cwd = fresh()
    mkdirSync(join(cwd, 'floodgate-data'))
    writeFileSync(join(cwd, 'floodgate-data', 'identity.key'), 'damaged')
    await assert.rejects(run(initCommand, cwd), { code: 'IDENTITY' })
    assert.deepEqual(readdirSync(cwd), ['floodgate-data'])
  })

  it('refuses a bad network before it writes anything', async () => {
    const cwd = fresh()
    await assert.rejects(run(initCommand, cwd, '--network', 'No Good'), {
      code: 'CONFIG',
      message: /network: is "No Good"/,
    })
    assert.deepEqual(readdirSync(cwd), [])
  })

  it('says when the folder cannot be made', async () => {
    const cwd = fresh()
    writeFileSync(join(cwd, 'file'), '')
    await assert.rejects(run(initCommand, cwd, '--dir', 'file/inner'), {
      code: 'STORE',
      message: /^cannot make the folder /,
    })
  })
})
