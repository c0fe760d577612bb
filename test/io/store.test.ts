import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, type TestContext, test } from 'node:test'
import { Key } from 'interface-datastore'
import { type LevelStore, openStore } from '../../src/io/store.ts'
import { seededBytes } from '../e2e/support/seed.ts'
import { FakeLog } from '../fixtures/fakes.ts'

const SOURCE = new URL('../../src/io/store.ts', import.meta.url).href
const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const ASIDE = 'store.damaged-2026-01-02T03-04-05-678Z'

/** How many stores are damaged at random. */
const ROUNDS = 40

const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let folders = 0

/** A data folder that does not exist yet. */
function newFolder(): string {
  return join(folder, `${folders++}`)
}

async function open(t: TestContext, dataDir: string, log = new FakeLog()): Promise<LevelStore> {
  const store = await openStore(dataDir, log, NOW_MS)
  t.after(() => store.close())
  return store
}

async function entriesOf(store: LevelStore, prefix: string): Promise<[string, string][]> {
  const entries: [string, string][] = []
  for await (const { key, value } of store.entries(prefix)) entries.push([key, Buffer.from(value).toString()])
  return entries
}

const text = (value: string): Uint8Array => Buffer.from(value)

describe('the store', () => {
  test('keeps records until they are deleted, also over a restart', async t => {
    const dataDir = newFolder()
    const first = await open(t, dataDir)
    await first.write([
      { put: '/a/1', value: text('one') },
      { put: '/a/2', value: text('two') },
      { put: '/b/1', value: text('') },
    ])
    await first.write([{ delete: '/a/1' }, { put: '/a/2', value: text('two!') }], { sync: true })
    await first.close()
    await first.close()

    const second = await open(t, dataDir)
    assert.equal(await second.get('/a/1'), undefined)
    assert.deepEqual(await entriesOf(second, '/a/'), [['/a/2', 'two!']])
    assert.deepEqual(await entriesOf(second, '/b/'), [['/b/1', '']])
    assert.deepEqual(readdirSync(dataDir), ['store'])
  })

  test('gives the entries of a prefix in the order of their keys, and no others', async t => {
    const store = await open(t, newFolder())
    const keys = ['/a', '/a/', '/a/b', '/a/é', '/a/\u{10fffe}', '/a0', '/b/']
    await store.write(keys.map(key => ({ put: key, value: text(key) })))
    const found = (await entriesOf(store, '/a/')).map(([key]) => key)
    assert.deepEqual(found, ['/a/', '/a/b', '/a/é', '/a/\u{10fffe}'])
  })

  test('writes all changes or none', async t => {
    const store = await open(t, newFolder())
    const changes = [
      { put: '/a/1', value: text('one') },
      { put: '/a/2', value: undefined as never },
    ]
    await assert.rejects(store.write(changes))
    assert.deepEqual(await entriesOf(store, '/a/'), [])
  })

  test('is the same database for libp2p', async t => {
    const store = await open(t, newFolder())
    await store.datastore.put(new Key('/peers/x'), text('libp2p'))
    assert.deepEqual(await entriesOf(store, '/peers/'), [['/peers/x', 'libp2p']])
  })

  test('opens for one at a time, and the first is not disturbed', async t => {
    const dataDir = newFolder()
    const store = await open(t, dataDir)
    await store.write([{ put: '/a/1', value: text('one') }])
    const log = new FakeLog()
    await assert.rejects(openStore(dataDir, log, NOW_MS), { code: 'IN_USE', message: new RegExp(dataDir) })
    assert.deepEqual(log.lines, [])
    await store.write([{ put: '/a/2', value: text('two') }])
    assert.deepEqual(await entriesOf(store, '/a/'), [
      ['/a/1', 'one'],
      ['/a/2', 'two'],
    ])
    assert.deepEqual(readdirSync(dataDir), ['store'])

    await store.close()
    const next = await open(t, dataDir)
    assert.equal((await entriesOf(next, '/a/')).length, 2)
  })

  test('cannot be opened where a file is in the way', async () => {
    const dataDir = newFolder()
    writeFileSync(dataDir, 'not a folder')
    await assert.rejects(openStore(dataDir, new FakeLog(), NOW_MS), {
      code: 'STORE',
      message: new RegExp(dataDir),
    })
  })
})

describe('a store that nobody may write', () => {
  const cases: { id: string; mode: number; of: (dataDir: string) => string }[] = [
    { id: 'a data folder that is read-only', mode: 0o500, of: dataDir => dataDir },
    { id: 'a store that is read-only', mode: 0o500, of: dataDir => join(dataDir, 'store') },
  ]
  for (const { id, mode, of } of cases) {
    test(`is an error: ${id}`, t => {
      const dataDir = newFolder()
      mkdirSync(of(dataDir), { recursive: true })
      const program = `
        const { openStore } = await import(${JSON.stringify(SOURCE)})
        await openStore(${JSON.stringify(dataDir)}, console, 0).then(() => console.log('opened'), e => console.log(e.code))`
      // Root may write everywhere: then another user tries.
      const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
      chmodSync(folder, 0o755)
      chmodSync(of(dataDir), mode)
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        ...user,
        encoding: 'utf8',
        cwd: '/',
      })
      chmodSync(of(dataDir), 0o700)
      if (stdout === '')
        return t.skip(`another user cannot run this program here: ${stderr.trim().split('\n').at(-1)}`)
      assert.equal(stdout, 'STORE\n')
    })
  }
})

/** The files of a database that was written, closed and written again, so that it has all kinds of them. */
async function writtenStore(dataDir: string): Promise<Map<string, string>> {
  const records = new Map<string, string>()
  for (let session = 0; session < 2; session++) {
    const store = await openStore(dataDir, new FakeLog(), NOW_MS)
    for (let number = 0; number < 50; number++) {
      const [key, value] = [`/a/${session}/${number}`, `value ${number} `.repeat(20)]
      records.set(key, value)
      await store.write([{ put: key, value: text(value) }])
    }
    await store.close()
  }
  return records
}

/** The path of the first file of the database whose name matches. */
function fileOf(dataDir: string, pattern: RegExp): string {
  const path = join(dataDir, 'store')
  const name = readdirSync(path).find(file => pattern.test(file) && statSync(join(path, file)).size > 0)
  assert.ok(name !== undefined, `there is no ${pattern} in ${readdirSync(path)}`)
  return join(path, name)
}

describe('a damaged store', () => {
  const cases: { id: string; damage: (dataDir: string, bytes: (count: number) => Buffer) => void }[] = [
    { id: 'CURRENT is empty', damage: dataDir => truncateSync(fileOf(dataDir, /^CURRENT$/)) },
    {
      id: 'CURRENT is garbage',
      damage: (dataDir, bytes) => writeFileSync(fileOf(dataDir, /^CURRENT$/), bytes(30)),
    },
    {
      id: 'CURRENT names nothing',
      damage: dataDir => writeFileSync(fileOf(dataDir, /^CURRENT$/), 'MANIFEST-999999\n'),
    },
    {
      id: 'the manifest is garbage',
      damage: (dataDir, bytes) => writeFileSync(fileOf(dataDir, /^MANIFEST/), bytes(500)),
    },
    { id: 'the manifest is gone', damage: dataDir => rmSync(fileOf(dataDir, /^MANIFEST/)) },
    { id: 'a table is gone', damage: dataDir => rmSync(fileOf(dataDir, /\.ldb$/)) },
    {
      id: 'a table is garbage',
      damage: (dataDir, bytes) => writeFileSync(fileOf(dataDir, /\.ldb$/), bytes(1_000)),
    },
  ]
  for (const { id, damage } of cases) {
    test(`is set aside, and a new one is begun: ${id}`, async t => {
      const dataDir = newFolder()
      await writtenStore(dataDir)
      damage(dataDir, seededBytes(t))
      const log = new FakeLog()
      const store = await open(t, dataDir, log)
      assert.deepEqual(
        log.lines.map(({ level, fields }) => ({ level, aside: fields.aside })),
        [{ level: 'error', aside: join(dataDir, ASIDE) }],
      )
      assert.deepEqual(readdirSync(dataDir).sort(), ['store', ASIDE])
      assert.ok(readdirSync(join(dataDir, ASIDE)).length > 1, 'what was set aside is lost')
      assert.deepEqual(await entriesOf(store, '/'), [])
      await store.write([{ put: '/a/1', value: text('one') }])
      assert.deepEqual(await entriesOf(store, '/'), [['/a/1', 'one']])
    })
  }

  test('opens in any case, and can be used', { timeout: 60_000 }, async t => {
    const bytes = seededBytes(t)
    const below = (bound: number): number => bytes(4).readUInt32LE() % bound
    const outcomes = { whole: 0, partly: 0, aside: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const dataDir = newFolder()
      const records = await writtenStore(dataDir)
      const path = join(dataDir, 'store')
      const names = readdirSync(path).filter(name => name !== 'LOCK' && !name.startsWith('LOG'))
      const file = join(path, names[below(names.length)] ?? '')
      const { size } = statSync(file)
      if (below(3) === 0) truncateSync(file, below(size + 1))
      else spoil(file, below(size + 1), bytes(1 + below(64)))

      const log = new FakeLog()
      const store = await openStore(dataDir, log, NOW_MS)
      const entries = await entriesOf(store, '/')
      await store.write([{ put: '/new', value: text('new') }], { sync: true })
      await store.close()
      const again = await openStore(dataDir, log, NOW_MS + 1)
      assert.equal(Buffer.from((await again.get('/new')) ?? []).toString(), 'new', `round ${round}`)
      await again.close()
      outcomes[log.lines.length > 0 ? 'aside' : entries.length === records.size ? 'whole' : 'partly']++
    }
    t.diagnostic(`of ${ROUNDS} damaged stores: ${JSON.stringify(outcomes)}`)
    assert.ok(outcomes.aside > 0)
  })

  test('that cannot be set aside is an error', async () => {
    const dataDir = newFolder()
    await writtenStore(dataDir)
    truncateSync(fileOf(dataDir, /^CURRENT$/))
    mkdirSync(join(dataDir, ASIDE, 'something'), { recursive: true })
    await assert.rejects(openStore(dataDir, new FakeLog(), NOW_MS), {
      code: 'STORE',
      message: new RegExp(dataDir),
    })
  })
})

/** Writes bytes over a part of a file. */
function spoil(file: string, at: number, bytes: Buffer): void {
  const content = readFileSync(file)
  const spoilt = Buffer.concat([content.subarray(0, at), bytes, content.subarray(at + bytes.length)])
  writeFileSync(file, spoilt)
}
