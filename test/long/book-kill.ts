/**
 * `node test/long/book-kill.ts [RUNS]`: kills so many processes (50 unless told otherwise) that save an address book,
 * prints what came of it, and exits with 1 when a book was lost, torn or could not be opened.
 */
import assert from 'node:assert/strict'
import { killWhileFlushing } from '../e2e/support/book-kills.ts'

const runs = Number(process.argv[2] ?? 50)
assert.ok(Number.isInteger(runs) && runs > 0, 'RUNS must be a number above 0')

const { acknowledged, duringFlush, keptUnfinished } = await killWhileFlushing(runs)
console.log(
  `${runs} kills, ${duringFlush} of them during a flush: the store opened ${runs} times; ` +
    `${acknowledged} acknowledged flushes, 0 lost; of the unfinished ones ${keptUnfinished} were whole, the rest absent`,
)
// With fewer runs it may happen that all of them fall between two flushes.
assert.ok(runs < 20 || duringFlush > 0, 'no process was killed during a flush: nothing was tested')
