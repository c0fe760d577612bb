/**
 * kill -9 while the address book is being saved, on the real store: it opens every time, nothing that was acknowledged
 * is lost, and no batch is there by half. The long form is `node test/long/book-kill.ts 50`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killWhileFlushing } from './support/book-kills.ts'

const RUNS = 5

test('the saved address book survives kill -9 at any moment', { timeout: 300_000 }, async t => {
  const result = await killWhileFlushing(RUNS)
  t.diagnostic(JSON.stringify(result))
  assert.equal(result.runs, RUNS)
  assert.ok(result.acknowledged >= RUNS)
})
