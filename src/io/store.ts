/**
 * The store: small records in LevelDB (`datastore-level`), in the node's data folder.
 *
 * Rules:
 * - One process per folder. A second one gets `IN_USE`, and the first is not disturbed.
 * - A folder that LevelDB cannot open and read is set aside under a new name, said so in the log, and a
 *   new one is begun: a node must start after a power cut, and everything here can be learned again.
 * - Nothing else opens the folder, and it is closed before the process ends.
 */
import { mkdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { LevelDatastore } from 'datastore-level'
import type { Datastore } from 'interface-datastore'
import { Level } from 'level'
import { FloodgateError } from '../core/errors.ts'
import type { Log, Store } from '../core/ports.ts'

export interface LevelStore extends Store {
  /** The same database for libp2p, which keeps its records under keys of its own. */
  readonly datastore: Datastore
}

/**
 * Opens (or makes) `<dataDir>/store`.
 * @param nowMs wall time, for the name of a folder that is set aside
 * @throws FloodgateError IN_USE when another process has it open, STORE when the folder cannot be used at all
 */
export async function openStore(dataDir: string, log: Log, nowMs: number): Promise<LevelStore> {
  const path = join(resolve(dataDir), 'store')
  await mkdir(path, { recursive: true }).catch(cause => {
    throw new FloodgateError('STORE', `cannot make the data folder ${path}: ${(cause as Error).message}`)
  })
  try {
    return storeOn(await openLevel(path))
  } catch (cause) {
    if (isLocked(cause)) {
      throw new FloodgateError('IN_USE', `another process uses the data folder ${resolve(dataDir)}`, {
        cause,
      })
    }
    if (isForbidden(cause)) {
      throw new FloodgateError('STORE', `cannot use the data folder ${path}: ${reasonOf(cause)}`, { cause })
    }
    const aside = await setAside(path, nowMs)
    log.error('the data folder is damaged: set aside, starting with an empty one', {
      aside,
      reason: reasonOf(cause),
    })
    return storeOn(await openFresh(path))
  }
}

/** @throws FloodgateError STORE */
async function openFresh(path: string): Promise<Level<string, Uint8Array>> {
  try {
    return await openLevel(path)
  } catch (cause) {
    throw new FloodgateError('STORE', `cannot make a database in ${path}: ${reasonOf(cause)}`, { cause })
  }
}

async function openLevel(path: string): Promise<Level<string, Uint8Array>> {
  // No compression: records are small and mostly random bytes.
  const level = new Level<string, Uint8Array>(path, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
    compression: false,
  })
  await level.open()
  try {
    // LevelDB opens some damaged folders and fails at the first read: read everything once, it is small.
    for await (const _ of level.iterator()) {
    }
  } catch (cause) {
    await level.close().catch(() => {})
    throw cause
  }
  return level
}

/** @throws FloodgateError STORE */
async function setAside(path: string, nowMs: number): Promise<string> {
  const stamp = new Date(nowMs).toISOString().replace(/[:.]/g, '-')
  const aside = `${path}.damaged-${stamp}`
  try {
    await rename(path, aside)
    await mkdir(path)
  } catch (cause) {
    const reason = (cause as Error).message
    throw new FloodgateError('STORE', `${path} is damaged and cannot be set aside: ${reason}`, { cause })
  }
  return aside
}

function storeOn(level: Level<string, Uint8Array>): LevelStore {
  let closed: Promise<void> | undefined
  return {
    datastore: new LevelDatastore(level),
    get: key => level.get(key),
    async write(changes, options = { sync: false }) {
      const batch = changes.map(change =>
        'put' in change
          ? ({ type: 'put', key: change.put, value: change.value } as const)
          : ({ type: 'del', key: change.delete } as const),
      )
      await level.batch(batch, { sync: options.sync })
    },
    async *entries(prefix) {
      // Keys are text: what starts with the prefix lies between it and the prefix with the last code point.
      for await (const [key, value] of level.iterator({ gte: prefix, lt: `${prefix}\u{10ffff}` }))
        yield { key, value }
    },
    close() {
      closed ??= level.close()
      return closed
    },
  }
}

/** LevelDB's own words stand below abstract-level's general `LEVEL_DATABASE_NOT_OPEN`. */
function reasonOf(cause: unknown): string {
  const error = cause as Error
  return error.cause instanceof Error ? error.cause.message : error.message
}

function isLocked(cause: unknown): boolean {
  return ((cause as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'LEVEL_LOCKED'
}

/** Trouble with the disk, which another folder beside this one would have as well. */
function isForbidden(cause: unknown): boolean {
  return /Permission denied|No space left|Disk quota|Read-only file|Too many open files|Input\/output error|Stale file handle|Cannot allocate memory/i.test(
    reasonOf(cause),
  )
}
