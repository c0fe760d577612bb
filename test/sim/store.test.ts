import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Store } from '../../src/core/ports.ts'
import { SimDisk } from '../../src/sim/store.ts'

async function keysOf(store: Store, prefix: string): Promise<string[]> {
  const keys = []
  for await (const { key } of store.entries(prefix)) keys.push(key)
  return keys
}

describe('SimDisk', () => {
  it('keeps what was written for the next who opens it', async () => {
    const disk = new SimDisk()
    const first = disk.open()
    await first.write([
      { put: '/a/1', value: Uint8Array.of(1) },
      { put: '/a/2', value: Uint8Array.of(2) },
    ])
    await first.write([{ delete: '/a/1' }], { sync: true })
    // No close: the process has crashed.
    const second = disk.open()
    assert.deepEqual(await keysOf(second, '/a/'), ['/a/2'])
    assert.deepEqual(await second.get('/a/2'), Uint8Array.of(2))
    assert.equal(await second.get('/a/1'), undefined)
  })

  it('gives entries of a prefix in the order of their keys, as LevelDB does', async () => {
    const store = new SimDisk().open()
    const keys = ['/b/\u{1f600}', '/b/\uffee', '/b/z', '/c/1', '/b/10', '/b/9', '/a/1', '/b']
    await store.write(keys.map(put => ({ put, value: new Uint8Array() })))
    assert.deepEqual(await keysOf(store, '/b/'), ['/b/10', '/b/9', '/b/z', '/b/\uffee', '/b/\u{1f600}'])
  })

  it('shares no bytes with its users', async () => {
    const store = new SimDisk().open()
    const value = Uint8Array.of(1)
    await store.write([{ put: '/a', value }])
    value[0] = 2
    const read = await store.get('/a')
    assert.deepEqual(read, Uint8Array.of(1))
    read?.fill(3)
    assert.deepEqual(await store.get('/a'), Uint8Array.of(1))
  })

  it('refuses work after it was closed, and is empty after it was wiped', async () => {
    const disk = new SimDisk()
    const store = disk.open()
    await store.write([{ put: '/a', value: new Uint8Array() }])
    await store.close()
    await assert.rejects(store.get('/a'), /closed/)
    await assert.rejects(store.write([]), /closed/)
    disk.clear()
    assert.deepEqual([await keysOf(disk.open(), '/'), disk.size], [[], 0])
  })
})
