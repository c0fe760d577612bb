import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { planOf } from '../../../src/cli/cluster/plan.ts'

describe('planOf', () => {
  const outer = process.env.TMPDIR
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plan-'))
    process.env.TMPDIR = folder
  })
  after(async () => {
    if (outer === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = outer
    await rm(folder, { recursive: true })
  })

  it('names another temporary folder for each run, and makes none', async () => {
    const plans = [await planOf({ nodes: 2, seed: '1' }, 1), await planOf({ nodes: 2, seed: '1' }, 1)]
    const names = plans.map(plan => plan.dataDir)
    assert.equal(new Set(names).size, 2)
    for (const name of names) {
      assert.equal(dirname(name), folder)
      assert.match(name, /floodgate-cluster-[0-9a-f]{24}$/)
    }
    assert.deepEqual(
      plans.map(plan => plan.removeDataDir),
      [true, true],
    )
    assert.deepEqual(await readdir(folder), [])
  })

  it('keeps a folder that was asked for, and makes it no earlier', async () => {
    const dataDir = join(folder, 'kept')
    const plan = await planOf({ nodes: 2, seed: '1', dataDir }, 1)
    assert.deepEqual([plan.dataDir, plan.removeDataDir], [dataDir, false])
    assert.deepEqual(await readdir(folder), [])
  })
})
