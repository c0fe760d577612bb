/**
 * Kills processes (SIGKILL) that save an address book, at random moments, and looks at what is in the store afterwards.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Store } from '../../../src/core/ports.ts'
import { openStore } from '../../../src/io/store.ts'
import type { AddressBook } from '../../../src/peers/address-book.ts'
import { BookKeeper } from '../../../src/peers/book-keeper.ts'
import { FakeLog, FakeMetrics } from '../../fixtures/fakes.ts'
import { until } from './until.ts'

const PROGRAM = fileURLToPath(new URL('book-process.ts', import.meta.url))

/** A process is killed after one of its first flushes, */
const FLUSHES_MAX = 20
/** and so much later: a flush and the changes before it take some milliseconds. */
const LATER_MAX_MS = 20

/** A process takes long to start on a busy machine. */
const DEADLINE_MS = 60_000

export interface KillResult {
  readonly runs: number
  /** Flushes that had ended when their process was killed. */
  readonly acknowledged: number
  /** Processes that were killed during a flush. */
  readonly duringFlush: number
  /** Of these, those whose last flush is in the store all the same. */
  readonly keptUnfinished: number
}

export async function loadBook(
  store: Store,
): Promise<{ book: AddressBook; keeper: BookKeeper; log: FakeLog }> {
  const log = new FakeLog()
  const parts = {
    random: Math.random,
    newKey: () => randomBytes(32),
    groupRules: 'all' as const,
    log,
    metrics: new FakeMetrics(),
  }
  return { ...(await BookKeeper.load(store, parts, 'kill', Date.now())), log }
}

/** Tells two books apart that differ in anything that is saved. */
export function digestOf(book: AddressBook): string {
  const entries = [...book.entries()]
    .map(entry => JSON.stringify({ ...entry, newBuckets: entry.newBuckets.toSorted((a, b) => a - b) }))
    .sort()
  return createHash('sha256').update(book.key).update(entries.join('\n')).digest('hex')
}

/**
 * Kills so many processes, one after the other, on one folder. After each the store must open, and have the book of the
 * last flush that had ended, or of the one that was under way, and nothing in between.
 * @throws AssertionError when it has not
 */
export async function killWhileFlushing(runs: number): Promise<KillResult> {
  const dataDir = await mkdtemp(join(tmpdir(), 'floodgate-'))
  let [acknowledged, duringFlush, keptUnfinished] = [0, 0, 0]
  let before: string | undefined
  try {
    for (let run = 0; run < runs; run++) {
      const { loaded, saved, unfinished } = await killOne(dataDir)
      assert.ok(before === undefined || loaded === before, `run ${run}: the process has loaded another book`)
      before = await digestAfter(dataDir)
      const last = saved.at(-1)
      assert.ok(before === last || before === unfinished, `run ${run}: the store has neither of two books`)
      acknowledged += saved.length
      if (unfinished !== undefined) duringFlush++
      if (before === unfinished) keptUnfinished++
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
  return { runs, acknowledged, duringFlush, keptUnfinished }
}

/** What one process said before it was killed. */
async function killOne(
  dataDir: string,
): Promise<{ loaded: string; saved: string[]; unfinished: string | undefined }> {
  const child = spawn(process.execPath, [PROGRAM, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const digests = (word: string): string[] =>
    [...output.matchAll(new RegExp(`^${word} (.*)\n`, 'gm'))].map(([, digest = '']) => digest)
  try {
    const flushes = 1 + Math.floor(Math.random() * FLUSHES_MAX)
    await until(
      `${flushes} flushes`,
      () => digests('saved').length >= flushes || child.exitCode !== null,
      DEADLINE_MS,
    )
    await pause(Math.random() * LATER_MAX_MS)
    assert.equal(child.exitCode, null, 'the process has ended by itself')
  } finally {
    child.kill('SIGKILL')
    await closed
  }
  const [loaded = ''] = digests('loaded')
  const saved = digests('saved')
  const begun = digests('flushing')
  return { loaded, saved, unfinished: begun.length > saved.length ? begun.at(-1) : undefined }
}

/** Opens the store, and loads what is in it. */
async function digestAfter(dataDir: string): Promise<string> {
  const storeLog = new FakeLog()
  const store = await openStore(dataDir, storeLog, Date.now())
  try {
    const { book, log } = await loadBook(store)
    book.check()
    // Nothing was repaired, dropped or set aside on the way.
    assert.deepEqual(storeLog.lines, [])
    assert.deepEqual(
      log.lines.map(({ level }) => level),
      ['info'],
    )
    assert.deepEqual(await readdir(dataDir), ['store'])
    return digestOf(book)
  } finally {
    await store.close()
  }
}
