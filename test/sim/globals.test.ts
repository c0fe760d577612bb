import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { runChild } from './support/child.ts'

const EPOCH_MS = Date.UTC(2026, 0, 1)

interface Drawn {
  readonly math: number[]
  readonly values: number[]
  readonly wide: number[]
  readonly named: string
  readonly filled: string
  readonly uuids: string[]
  readonly ints: number[]
}

interface Output {
  readonly atBegin: Record<string, unknown>
  readonly ran: string[]
  readonly atEnd: Record<string, unknown>
  readonly outside: Drawn
  readonly alone: Drawn
  readonly isAloneRepeatable: boolean
}

describe('virtual globals', () => {
  let first: Output
  let second: Output
  before(async () => {
    ;[first, second] = await Promise.all([runChild<Output>('globals'), runChild<Output>('globals')])
  })

  it('says the same in two processes, whatever their real time and entropy', () => {
    assert.deepEqual(first, second)
  })

  it('begins every run at the same time, and keeps what Date is', () => {
    assert.deepEqual(first.atBegin, {
      now: EPOCH_MS,
      made: '2026-01-01T00:00:00.000Z',
      called: 'string',
      given: [0, 1, Date.UTC(2020, 0), Date.UTC(2020, 0)],
      kinds: [true, true, true, true, true],
      performance: 0,
      hrtime: [0, 0],
      installedAgain: true,
    })
  })

  it('has every way to wait on the virtual clock, and waits for none', () => {
    assert.deepEqual(first.ran, [
      'setImmediate at 0',
      'global at 1500',
      'node:timers at 1500',
      'node:timers/promises at 1500',
      'AbortSignal.timeout at 1500',
    ])
    assert.deepEqual(first.atEnd, {
      now: EPOCH_MS + 2_000,
      late: EPOCH_MS + 2_000 - 30_000,
      latePerformance: 2_000,
      performance: 2_000,
      hrtime: [1, 0],
      bigint: '2000000000',
      wasFasterThanReal: true,
    })
  })

  it('draws random numbers of the right kinds', () => {
    const { math, values, filled, uuids, ints } = first.outside
    assert.ok(math.every(number => number >= 0 && number < 1))
    assert.equal(values.length, 8)
    assert.match(filled, /^0{8}[0-9a-f]{8}$/)
    for (const uuid of uuids)
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.deepEqual([...new Set(ints)].sort(), [3, 4, 5, 6])
  })

  it('gives each process numbers of its own, the same whatever the others draw', () => {
    assert.notDeepEqual(first.alone, first.outside)
    assert.equal(first.isAloneRepeatable, true)
  })
})
