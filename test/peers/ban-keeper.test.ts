import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Store, StoreChange } from '../../src/core/ports.ts'
import { openStore } from '../../src/io/store.ts'
import { BAN_PREFIX, BanKeeper } from '../../src/peers/ban-keeper.ts'
import { encodeBan } from '../../src/peers/ban-record.ts'
import { BANS_MAX } from '../../src/peers/bans.ts'
import { SimDisk } from '../../src/sim/store.ts'
import { FakeLog, settleMicrotasks } from '../fixtures/fakes.ts'
import { PEERS } from './ban-peers.ts'

const NOW_MS = 1_800_000_000_000
const PEER = PEERS.ed25519.base58

/** A store whose writes are counted, and wait for the test when it says so. */
class SlowStore implements Store {
  readonly #store: Store
  readonly writes: { readonly changes: readonly StoreChange[]; readonly sync: boolean }[] = []
  /** Ends the write that has begun, or lets it fail. */
  readonly endings: { resolve(): void; reject(error: Error): void }[] = []
  isSlow = false

  constructor(store: Store) {
    this.#store = store
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#store.get(key)
  }

  async write(changes: readonly StoreChange[], options = { sync: false }): Promise<void> {
    this.writes.push({ changes, sync: options.sync })
    if (this.isSlow) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.endings.push({ resolve, reject })
      await promise
    }
    await this.#store.write(changes, options)
  }

  entries(prefix: string): AsyncIterable<{ key: string; value: Uint8Array }> {
    return this.#store.entries(prefix)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

async function keysOf(disk: SimDisk): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of disk.open().entries('/')) keys.push(key)
  return keys
}

/** What a node finds that starts on this disk. */
async function targetsOn(disk: SimDisk, wallMs = NOW_MS): Promise<string[]> {
  const { bans } = await BanKeeper.load(disk.open(), new FakeLog(), wallMs)
  return bans.list(wallMs).map(({ target }) => target)
}

describe('the keeper of bans', () => {
  it('keeps bans through a restart as they were said', async () => {
    const disk = new SimDisk()
    const keeper = await BanKeeper.load(disk.open(), new FakeLog(), NOW_MS)
    const said = [
      await keeper.ban('203.0.113.9/24', { nowMs: NOW_MS, reason: 'floods us' }),
      await keeper.ban(PEERS.rsa.cid, { nowMs: NOW_MS + 1, forMs: 5_000 }),
      await keeper.ban('2001:db8::1', { nowMs: NOW_MS + 2 }),
    ]
    const log = new FakeLog()
    const again = await BanKeeper.load(disk.open(), log, NOW_MS + 2)
    const byTarget = (list: readonly { target: string }[]): string[] =>
      list.map(({ target }) => target).sort()
    assert.deepEqual(byTarget(again.bans.list(NOW_MS)), byTarget(said))
    for (const ban of said) assert.ok(again.bans.list(NOW_MS).some(other => other.reason === ban.reason))
    assert.deepEqual(again.bans.match('203.0.113.1', undefined, NOW_MS), said[0])
    assert.deepEqual(again.bans.match(undefined, PEERS.rsa.base58, NOW_MS), said[1])
    assert.equal(again.dropped, 0)
    assert.deepEqual(log.lines, [])
  })

  it('keeps them in LevelDB too', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const targets = ['0.0.0.0/0', '203.0.113.7', '2001:db8::/32', PEER]
    const store = await openStore(folder, new FakeLog(), NOW_MS)
    const keeper = await BanKeeper.load(store, new FakeLog(), NOW_MS)
    await Promise.all(
      [...targets, '::1'].map((target, index) => keeper.ban(target, { nowMs: NOW_MS + index })),
    )
    assert.equal(await keeper.unban('::1', NOW_MS), true)
    await store.close()
    const reopened = await openStore(folder, new FakeLog(), NOW_MS)
    t.after(() => reopened.close())
    const again = await BanKeeper.load(reopened, new FakeLog(), NOW_MS)
    assert.deepEqual(
      again.bans.list(NOW_MS).map(({ target }) => target),
      targets,
    )
  })

  it('does not say that a ban holds before it is on the disk, synced, but holds to it at once', async () => {
    const store = new SlowStore(new SimDisk().open())
    const keeper = await BanKeeper.load(store, new FakeLog(), NOW_MS)
    store.isSlow = true
    let isDone = false
    const ban = keeper.ban(PEER, { nowMs: NOW_MS }).then(() => {
      isDone = true
    })
    await settleMicrotasks()
    assert.equal(isDone, false)
    assert.equal(keeper.bans.match(undefined, PEER, NOW_MS)?.target, PEER)
    assert.deepEqual(
      store.writes.map(({ sync }) => sync),
      [true],
    )
    store.endings[0]?.resolve()
    await ban
    assert.equal(isDone, true)
  })

  it('puts what is said during a write together into the next one', async () => {
    const disk = new SimDisk()
    const store = new SlowStore(disk.open())
    const keeper = await BanKeeper.load(store, new FakeLog(), NOW_MS)
    store.isSlow = true
    const first = keeper.ban('10.0.0.0', { nowMs: NOW_MS })
    await settleMicrotasks()
    const others = Array.from({ length: 200 }, (_, index) => keeper.ban(`10.0.1.${index}`, { nowMs: NOW_MS }))
    const lifted = [keeper.unban('10.0.0.0', NOW_MS), keeper.unban('10.0.1.7', NOW_MS)]
    const back = keeper.ban('10.0.1.7', { nowMs: NOW_MS, reason: 'back' })
    await settleMicrotasks()
    assert.equal(store.writes.length, 1)
    store.endings[0]?.resolve()
    await first
    await settleMicrotasks()
    assert.equal(store.writes.length, 2)
    store.endings[1]?.resolve()
    await Promise.all([...others, back])
    assert.deepEqual(await Promise.all(lifted), [true, true])
    const { bans } = await BanKeeper.load(disk.open(), new FakeLog(), NOW_MS)
    assert.equal(bans.size, 200)
    assert.equal(bans.match('10.0.0.0', undefined, NOW_MS), undefined)
    assert.equal(bans.match('10.0.1.7', undefined, NOW_MS)?.reason, 'back')
  })

  it('says when a write has failed, holds to what was said, and goes on', async () => {
    const disk = new SimDisk()
    const store = new SlowStore(disk.open())
    const keeper = await BanKeeper.load(store, new FakeLog(), NOW_MS)
    await keeper.ban('10.0.0.1', { nowMs: NOW_MS })
    store.isSlow = true
    const failed = [keeper.ban('10.0.0.2', { nowMs: NOW_MS }), keeper.unban('10.0.0.1', NOW_MS)]
    const refusals = Promise.all(
      failed.map(one =>
        assert.rejects(one, { name: 'FloodgateError', code: 'STORE', message: /no space left/ }),
      ),
    )
    await settleMicrotasks()
    store.endings[0]?.reject(new Error('no space left'))
    await refusals
    store.isSlow = false
    assert.deepEqual(
      keeper.bans.list(NOW_MS).map(({ target }) => target),
      ['10.0.0.2'],
    )
    await keeper.ban('10.0.0.3', { nowMs: NOW_MS })
    assert.deepEqual(await targetsOn(disk), ['10.0.0.1', '10.0.0.3'])
  })

  it('deletes bans that are over, in a sweep and at the start, and counts them as no damage', async () => {
    const disk = new SimDisk()
    const keeper = await BanKeeper.load(disk.open(), new FakeLog(), NOW_MS)
    await keeper.ban('10.0.0.1', { nowMs: NOW_MS, forMs: 10 })
    await keeper.ban('10.0.0.2', { nowMs: NOW_MS, forMs: 20 })
    await keeper.ban('10.0.0.3', { nowMs: NOW_MS, forMs: 30 })
    await keeper.sweep(NOW_MS + 9)
    assert.equal(disk.size, 3)
    await keeper.sweep(NOW_MS + 10)
    assert.deepEqual(await keysOf(disk), [`${BAN_PREFIX}10.0.0.2`, `${BAN_PREFIX}10.0.0.3`])
    assert.equal(await keeper.unban('10.0.0.2', NOW_MS + 20), false)
    const log = new FakeLog()
    const again = await BanKeeper.load(disk.open(), log, NOW_MS + 25)
    assert.equal(again.dropped, 0)
    assert.deepEqual(log.lines, [])
    assert.deepEqual(await keysOf(disk), [`${BAN_PREFIX}10.0.0.3`])
  })

  it('does not write in a sweep that finds nothing', async () => {
    const store = new SlowStore(new SimDisk().open())
    const keeper = await BanKeeper.load(store, new FakeLog(), NOW_MS)
    await keeper.ban('10.0.0.1', { nowMs: NOW_MS })
    await keeper.sweep(NOW_MS)
    assert.equal(store.writes.length, 1)
  })

  it('logs a sweep that cannot write', async () => {
    const store = new SlowStore(new SimDisk().open())
    const log = new FakeLog()
    const keeper = await BanKeeper.load(store, log, NOW_MS)
    await keeper.ban('10.0.0.1', { nowMs: NOW_MS, forMs: 1 })
    store.isSlow = true
    const swept = keeper.sweep(NOW_MS + 1)
    await settleMicrotasks()
    store.endings[0]?.reject(new Error('no space left'))
    await swept
    assert.deepEqual(
      log.lines.map(({ level }) => level),
      ['warn'],
    )
  })

  it('refuses what is no target, and writes nothing', async () => {
    const disk = new SimDisk()
    const keeper = await BanKeeper.load(disk.open(), new FakeLog(), NOW_MS)
    await assert.rejects(keeper.ban('example.org', { nowMs: NOW_MS }), { code: 'ARGUMENT' })
    await assert.rejects(keeper.unban('example.org', NOW_MS), { code: 'ARGUMENT' })
    assert.equal(await keeper.unban('10.0.0.1', NOW_MS), false)
    assert.equal(disk.size, 0)
  })

  it('works without a store', async () => {
    const keeper = await BanKeeper.load(undefined, new FakeLog(), NOW_MS)
    await keeper.ban('10.0.0.1', { nowMs: NOW_MS, forMs: 10 })
    await keeper.ban('10.0.0.2', { nowMs: NOW_MS })
    assert.equal(await keeper.unban('10.0.0.2', NOW_MS), true)
    assert.equal(keeper.bans.size, 1)
    await keeper.sweep(NOW_MS + 10)
    assert.equal(keeper.bans.size, 0)
  })
})

describe('a damaged store of bans', () => {
  const ban = (target: string): Uint8Array =>
    encodeBan({ target, kind: 'ip', sinceMs: NOW_MS, untilMs: NOW_MS + 1_000, reason: '' })

  it('loses the records that are damaged, counted and named, and no other', async () => {
    const disk = new SimDisk()
    const bad = ban('10.0.0.2')
    bad[3] = (bad[3] ?? 0) ^ 1
    await disk.open().write([
      { put: `${BAN_PREFIX}10.0.0.1`, value: ban('10.0.0.1') },
      { put: `${BAN_PREFIX}10.0.0.2`, value: bad },
      // Whole, but under the name of somebody else.
      { put: `${BAN_PREFIX}10.0.0.3`, value: ban('10.0.0.4') },
      { put: `${BAN_PREFIX}`, value: new Uint8Array() },
      { put: '/peers/bandit', value: new Uint8Array() },
    ])
    const log = new FakeLog()
    const keeper = await BanKeeper.load(disk.open(), log, NOW_MS)
    assert.deepEqual(
      keeper.bans.list(NOW_MS).map(({ target }) => target),
      ['10.0.0.1'],
    )
    assert.equal(keeper.dropped, 3)
    assert.deepEqual(
      log.lines.map(({ level, fields }) => [level, fields]),
      [['warn', { count: 3 }]],
    )
    assert.deepEqual(await keysOf(disk), [`${BAN_PREFIX}10.0.0.1`, '/peers/bandit'])
  })

  it('is emptied of any amount of rubbish, a part at a time', async () => {
    const disk = new SimDisk()
    const rubbish = Array.from({ length: 2_500 }, (_, index) => ({
      put: `${BAN_PREFIX}rubbish ${index}`,
      value: new Uint8Array(100),
    }))
    await disk.open().write([...rubbish, { put: `${BAN_PREFIX}10.0.0.1`, value: ban('10.0.0.1') }])
    const store = new SlowStore(disk.open())
    const keeper = await BanKeeper.load(store, new FakeLog(), NOW_MS)
    assert.equal(keeper.dropped, 2_500)
    assert.ok(store.writes.every(({ changes }) => changes.length <= 1_000))
    assert.deepEqual(await keysOf(disk), [`${BAN_PREFIX}10.0.0.1`])
  })

  it('with more bans than may be keeps as many as may be', async () => {
    const disk = new SimDisk()
    const targets = Array.from(
      { length: BANS_MAX + 3 },
      (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    )
    await disk.open().write(targets.map(target => ({ put: BAN_PREFIX + target, value: ban(target) })))
    const keeper = await BanKeeper.load(disk.open(), new FakeLog(), NOW_MS)
    assert.equal(keeper.bans.size, BANS_MAX)
    assert.equal(keeper.dropped, 3)
    assert.equal(disk.size, BANS_MAX)
  })

  it('that cannot be read is no reason not to start', async () => {
    const store = new SlowStore(new SimDisk().open())
    store.entries = async function* () {
      yield { key: `${BAN_PREFIX}10.0.0.1`, value: ban('10.0.0.1') }
      throw new Error('input/output error')
    }
    const log = new FakeLog()
    const keeper = await BanKeeper.load(store, log, NOW_MS)
    assert.equal(keeper.bans.size, 1)
    assert.deepEqual(
      log.lines.map(({ level, fields }) => [level, fields]),
      [['error', { reason: 'input/output error' }]],
    )
  })
})
