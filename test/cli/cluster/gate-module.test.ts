import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { chooseTopic, loadGateModule, readGates } from '../../../src/cli/cluster/gate-module.ts'
import { FloodgateError } from '../../../src/core/errors.ts'

const handler = (): boolean => true
const spoilA = (payload: Uint8Array): Uint8Array => payload.slice(1)
const spoilB = (payload: Uint8Array): Uint8Array => payload.slice(2)

const isConfigError = (message: RegExp) => (error: unknown) =>
  error instanceof FloodgateError && error.code === 'CONFIG' && message.test(error.message)

describe('readGates', () => {
  it('takes the topics of the default export, with their options and no other keys', () => {
    const gates = readGates(
      { default: { tx: { handler, mode: 'flood', maxPayloadBytes: 9 } }, other: { handler } },
      'm',
    )
    assert.deepEqual([...gates], [['tx', { handler, options: { mode: 'flood', maxPayloadBytes: 9 } }]])
  })

  it('takes the named exports that are topics when there is no default', () => {
    const gates = readGates(
      { tx: { handler }, block: { handler }, helper: () => 1, TABLE: { a: 1 }, LIMIT: 3 },
      'm',
    )
    assert.deepEqual([...gates.keys()], ['tx', 'block'])
  })

  const spoils: [string, Record<string, unknown>, unknown][] = [
    ['of the topic', { default: { tx: { handler, corrupt: spoilA } }, corrupt: spoilB }, spoilA],
    ['beside the topics', { default: { tx: { handler }, corrupt: spoilB } }, spoilB],
    ['beside the default export', { default: { tx: { handler } }, corrupt: spoilB }, spoilB],
    ['among named exports', { tx: { handler }, corrupt: spoilB }, spoilB],
    ['nowhere', { tx: { handler } }, undefined],
  ]
  for (const [id, module, expected] of spoils) {
    it(`finds corrupt ${id}`, () => assert.equal(readGates(module, 'm').get('tx')?.spoil, expected))
  }

  const mistakes: [string, Record<string, unknown>, RegExp][] = [
    ['no topic', { helper: () => 1 }, /exports no topic/],
    ['an empty default', { default: {} }, /exports no topic/],
    ['a default that is no object', { default: 7 }, /default export is not an object/],
    ['a topic without a handler in the default', { default: { tx: {} } }, /"tx" has no handler/],
    ['a handler that is no function', { tx: { handler: 1 } }, /"handler" is not a function/],
    ['a misspelt key', { default: { tx: { handler, quickverify: handler } } }, /unknown key "quickverify"/],
    ['corrupt that is no function', { tx: { handler }, corrupt: 1 }, /"corrupt" is not a function/],
  ]
  for (const [id, module, message] of mistakes) {
    it(`refuses ${id}`, () => assert.throws(() => readGates(module, 'm'), isConfigError(message)))
  }
})

describe('loadGateModule', () => {
  it('names a file that is missing', async () => {
    await assert.rejects(
      loadGateModule('/nowhere/gate.ts'),
      isConfigError(/\/nowhere\/gate\.ts: there is no such file/),
    )
  })

  it('says why a module does not load', async () => {
    await assert.rejects(loadGateModule('package-lock.json'), isConfigError(/--handler package-lock\.json: /))
  })
})

describe('loadGateModule, of TypeScript', () => {
  const source = 'export const tx = { handler: (message: unknown): boolean => message !== undefined }'
  const written = async (t: TestContext, ...folders: string[]): Promise<string> => {
    const root = await mkdtemp(join(tmpdir(), 'gate-module-'))
    t.after(() => rm(root, { recursive: true }))
    const folder = join(root, ...folders)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    await writeFile(join(folder, 'gate.ts'), source)
    return join(folder, 'gate.ts')
  }

  it('takes it as it is', async t => {
    assert.deepEqual([...(await loadGateModule(await written(t, 'x'))).keys()], ['tx'])
  })

  it('says what to do when it lies inside node_modules', async t => {
    const path = await written(t, 'node_modules', 'x')
    await assert.rejects(
      loadGateModule(path),
      isConfigError(
        /gate\.ts: Node loads no TypeScript from inside node_modules: copy the module out of it$/,
      ),
    )
  })
})

describe('chooseTopic', () => {
  it('takes the only one, or the one that was asked for', () => {
    assert.equal(chooseTopic(['tx'], undefined), 'tx')
    assert.equal(chooseTopic(['tx', 'block'], 'block'), 'block')
  })

  it('lists the topics when it cannot choose', () => {
    assert.throws(
      () => chooseTopic(['tx', 'block'], undefined),
      isConfigError(/--topic is needed: .*"tx", "block"/),
    )
    assert.throws(() => chooseTopic(['tx'], 'xt'), isConfigError(/--topic xt: .*"tx"/))
  })
})
