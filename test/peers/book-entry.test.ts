import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  ageMs,
  chanceOf,
  type Entry,
  isTerrible,
  makeEntry,
  plausibleMs,
} from '../../src/peers/book-entry.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, SECOND_MS, TELLER } from './book-setup.ts'

/** An entry by what happened how long ago; what is not named never did. */
function entry(ago: { heard?: number; attempt?: number; success?: number; attempts?: number }): Entry {
  const atMs = (agoMs: number | undefined): number => (agoMs === undefined ? 0 : NOW_MS - agoMs)
  const made = makeEntry({
    endpoint: '203.0.113.7:9000',
    source: 'exchange',
    sourceGroup: TELLER,
    peer: undefined,
    lastHeardMs: NOW_MS - (ago.heard ?? 0),
    lastAttemptMs: atMs(ago.attempt),
    lastCountedMs: 0,
    lastSuccessMs: atMs(ago.success),
    attempts: ago.attempts ?? 0,
  })
  assert.ok(made !== undefined)
  return made
}

const AHEAD = -10 * MINUTE_MS
const terrible: { id: string; ago: Parameters<typeof entry>[0]; is: boolean }[] = [
  { id: 'heard of just now', ago: {}, is: false },
  { id: 'heard of 30 days ago', ago: { heard: 30 * DAY_MS }, is: false },
  { id: 'heard of more than 30 days ago', ago: { heard: 30 * DAY_MS + 1 }, is: true },
  { id: 'heard of 10 minutes from now', ago: { heard: AHEAD }, is: false },
  { id: 'heard of later than that', ago: { heard: AHEAD - 1 }, is: true },
  { id: 'tried twice, never reached', ago: { attempts: 2, attempt: HOUR_MS }, is: false },
  { id: 'tried three times, never reached', ago: { attempts: 3, attempt: HOUR_MS }, is: true },
  { id: 'the same, the last time a minute ago', ago: { attempts: 3, attempt: MINUTE_MS }, is: false },
  { id: 'the same, longer ago', ago: { attempts: 3, attempt: MINUTE_MS + 1 }, is: true },
  { id: 'tried a minute ago, forgotten else', ago: { heard: 90 * DAY_MS, attempt: MINUTE_MS }, is: false },
  {
    id: 'tried at a time to come, forgotten else',
    ago: { heard: 90 * DAY_MS, attempt: AHEAD - 1 },
    is: true,
  },
  {
    id: 'failed 10 times since 7 days',
    ago: { attempts: 10, success: 7 * DAY_MS, attempt: HOUR_MS },
    is: false,
  },
  {
    id: 'failed 10 times for longer',
    ago: { attempts: 10, success: 7 * DAY_MS + 1, attempt: HOUR_MS },
    is: true,
  },
  {
    id: 'failed 9 times for a month',
    ago: { attempts: 9, success: 29 * DAY_MS, attempt: HOUR_MS },
    is: false,
  },
]

describe('terrible', () => {
  for (const { id, ago, is } of terrible) it(id, () => assert.equal(isTerrible(entry(ago), NOW_MS), is))
})

const chances: { id: string; ago: Parameters<typeof entry>[0]; chance: number }[] = [
  { id: 'never tried', ago: {}, chance: 1 },
  { id: 'tried 10 minutes ago', ago: { attempt: 10 * MINUTE_MS }, chance: 1 },
  { id: 'tried less than 10 minutes ago', ago: { attempt: 10 * MINUTE_MS - 1 }, chance: 0.01 },
  { id: 'tried at a time a little ahead', ago: { attempt: -SECOND_MS }, chance: 0.01 },
  { id: 'tried at a time far ahead', ago: { attempt: AHEAD - 1 }, chance: 1 },
  { id: 'failed once', ago: { attempts: 1, attempt: HOUR_MS }, chance: 0.66 },
  { id: 'failed 8 times', ago: { attempts: 8, attempt: HOUR_MS }, chance: 0.66 ** 8 },
  { id: 'failed 200 times', ago: { attempts: 200, attempt: HOUR_MS }, chance: 0.66 ** 8 },
  { id: 'failed 8 times, just now', ago: { attempts: 8, attempt: 0 }, chance: 0.01 * 0.66 ** 8 },
]

describe('the chance to be selected', () => {
  for (const { id, ago, chance } of chances) {
    it(id, () => assert.equal(chanceOf(entry(ago), NOW_MS), chance))
  }
})

describe('the age of a time', () => {
  const cases: [atMs: number, age: number][] = [
    [NOW_MS - 5, 5],
    [NOW_MS, 0],
    [NOW_MS + 1, 0],
    [NOW_MS + 10 * MINUTE_MS, 0],
    [NOW_MS + 10 * MINUTE_MS + 1, Number.POSITIVE_INFINITY],
    [0, NOW_MS],
  ]
  for (const [atMs, age] of cases)
    it(`${atMs - NOW_MS} ms from now`, () => assert.equal(ageMs(atMs, NOW_MS), age))
})

describe('a time that somebody tells', () => {
  const unknown = NOW_MS - 5 * DAY_MS
  const cases: [id: string, told: number, taken: number][] = [
    ['now', NOW_MS, NOW_MS],
    ['ten minutes ahead', NOW_MS + 10 * MINUTE_MS, NOW_MS + 10 * MINUTE_MS],
    ['more than that', NOW_MS + 10 * MINUTE_MS + 1, unknown],
    ['for ever', Number.POSITIVE_INFINITY, unknown],
    ['none', Number.NaN, unknown],
    ['never', 0, unknown],
    ['before 1970', -5, unknown],
    ['in seconds', NOW_MS / 1_000, unknown],
    ['1973', 100_000_000_001, 100_000_000_001],
    ['a little earlier', 100_000_000_000, unknown],
  ]
  for (const [id, told, taken] of cases) it(id, () => assert.equal(plausibleMs(told, NOW_MS), taken))
})

describe('an entry', () => {
  it('has the group and the host of its endpoint', () => {
    assert.deepEqual([entry({}).group, entry({}).host], ['4:203.0', '203.0.113.7'])
  })

  for (const endpoint of ['203.0.113.7', '203.0.113.7:0', 'seed.example.org:9000', '2001:db8::1:9000', '']) {
    it(`is not made of ${JSON.stringify(endpoint)}`, () => {
      assert.equal(makeEntry({ ...entry({}), endpoint }), undefined)
    })
  }
})
