/**
 * `npm run sim:all`: every scenario in `scenarios/`, one after the other, each with the outcome that it says itself.
 *
 * Fails when an assertion does not hold, and when one holds that is marked as expected to fail.
 *
 *     node scripts/sim-all.ts [NAME …]     only scenarios whose file name contains one of these
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { formatBytes } from '../src/cli/cluster/units.ts'
import { table } from '../src/cli/table.ts'

/** What of the report is shown. */
interface Report {
  readonly ok: boolean
  readonly cpuSeconds: number
  readonly peakMemoryBytes: number
  readonly assertions: readonly {
    readonly text: string
    readonly held: boolean
    readonly expectedToFail?: string
  }[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const wanted = process.argv.slice(2)
const names = readdirSync(`${root}scenarios`)
  .filter(name => name.endsWith('.yaml'))
  .filter(name => wanted.length === 0 || wanted.some(part => name.includes(part)))

const rows = names.map(name => {
  process.stderr.write(`${name} …\n`)
  const { status, stdout } = spawnSync(
    process.execPath,
    [`${root}src/cli/main.ts`, 'sim', `${root}scenarios/${name}`, '--json'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  if (stdout === '') return [name, status === 0 ? 'nothing' : 'FAILED', '', '', '', '']
  const { ok, cpuSeconds, peakMemoryBytes, assertions } = JSON.parse(stdout) as Report
  const known = assertions.filter(({ expectedToFail, held }) => expectedToFail !== undefined && !held)
  return [
    name,
    ok && status === 0 ? 'ok' : 'FAILED',
    String(assertions.filter(({ held }) => held).length),
    known.map(({ text, expectedToFail }) => `${text} (${expectedToFail})`).join('; '),
    cpuSeconds.toFixed(1),
    formatBytes(peakMemoryBytes),
  ]
})

console.log(table(['scenario', 'result', 'held', 'known to fail', 'CPU s', 'memory'], rows))
if (names.length === 0 || rows.some(([, result]) => result !== 'ok')) process.exitCode = 1
