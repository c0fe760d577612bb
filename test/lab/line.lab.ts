/**
 * The simulator's model of TCP against TCP: 1 MB along a line of five nodes with 20 Mbit/s up and 50 ms, by real
 * processes over the kernel's TCP and in the simulator with `slowStart`.
 *
 * Not one of `npm test`: it takes a minute and a half, and needs root and tools that few machines have.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { Lab, type LabStats, whyNoLab } from './support/lab.ts'
import { RealLine } from './support/real-line.ts'
import { COLD, type Journey, journeysAt, LINE, SERIES_BEATS, WARM } from './support/schedule.ts'

/** A real line is measured again when the machine was too busy to forward packets on time. */
const ATTEMPTS = 3
const LATE_MAX_US = 1_000

/** Two seconds of a line: windows reach 2 MB, 0.8 s of it, and what is lost makes another experiment. */
const SETTINGS = [`lat * * ${LINE.latencyMs}`, `rate * ${LINE.upMbit} 0`, 'queue * 2000']

const skip = whyNoLab() ?? false
if (skip !== false) console.log(`skipped: ${skip}`)

describe('Lab: a line of five nodes', { skip }, () => {
  let real: readonly Journey[]
  let simulated: readonly Journey[]
  let stats: LabStats

  before(async () => {
    simulated = await simulatedLine()
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      ;({ journeys: real, stats } = await realLine())
      if (stats.lateMeanUs <= LATE_MAX_US) break
    }
    console.log(table(real, simulated))
  })

  it('was measured on lines that lost nothing and forwarded on time', () => {
    assert.equal(stats.dropped, 0, 'packets dropped')
    assert.ok(
      stats.lateMeanUs <= LATE_MAX_US,
      `packets left ${stats.lateMeanUs} µs late: the machine is busy`,
    )
  })

  const states: [state: string, place: number][] = [
    ['cold', COLD],
    ['warm', WARM],
  ]
  for (const [state, place] of states) {
    it(`takes as long in the simulator as in reality when the connections are ${state}, within 10 %`, () => {
      const realMs = median(totalsAt(real, place))
      const simulatedMs = median(totalsAt(simulated, place))
      assert.ok(realMs > 4 * LINE.latencyMs, `real: ${realMs} ms`)
      assert.ok(
        Math.abs(simulatedMs / realMs - 1) <= 0.1,
        `real ${realMs} ms, simulated ${simulatedMs} ms for ${LINE.nodes - 1} hops`,
      )
    })
  }
})

async function simulatedLine(): Promise<Journey[]> {
  const program = join(import.meta.dirname, 'support/simulated-line.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program])
  return JSON.parse(stdout) as Journey[]
}

async function realLine(): Promise<{ journeys: Journey[]; stats: LabStats }> {
  const lab = new Lab()
  try {
    lab.up(LINE.nodes, SETTINGS)
    const line = new RealLine(lab)
    try {
      await line.start()
      return { journeys: await line.run(), stats: lab.stats() }
    } finally {
      await line.stop()
    }
  } finally {
    lab.down()
  }
}

/** Until the last node had it, one a round. */
function totalsAt(journeys: readonly Journey[], place: number): number[] {
  return journeysAt(journeys, place).map(journey => journey[LINE.nodes - 2] ?? Number.NaN)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

/** All places of the series: they show the windows open, hop by hop. */
function table(real: readonly Journey[], simulated: readonly Journey[]): string {
  const rows = Array.from({ length: SERIES_BEATS }, (_, place) => {
    const realMs = totalsAt(real, place)
    const [middleMs, simulatedMs] = [median(realMs), median(totalsAt(simulated, place))]
    const name = place === COLD ? 'cold' : place === WARM ? 'warm' : `${place + 1}.`
    const spread = `${Math.min(...realMs).toFixed()}..${Math.max(...realMs).toFixed()}`
    const difference = `${((simulatedMs / middleMs - 1) * 100).toFixed(1)} %`
    const hop = `${hopOf(middleMs)} / ${hopOf(simulatedMs)}`
    return [name, middleMs.toFixed(), spread, simulatedMs.toFixed(), difference, hop]
  })
  const head = ['message', 'real ms', 'spread', 'simulated ms', 'difference', 'a hop, real / simulated']
  return [head, ...rows]
    .map(cells =>
      cells
        .map(cell => cell.padEnd(14))
        .join('')
        .trimEnd(),
    )
    .join('\n')
}

const hopOf = (totalMs: number): string => (totalMs / (LINE.nodes - 1)).toFixed()
