/**
 * Eclipse attacks on a restarting node, played often enough to say something: `node test/long/eclipse.ts [restarts]`.
 *
 * Prints a table, and exits with 1 when a bound is broken: when the 95 % upper limit (Clopper-Pearson, one-sided) of the
 * chance to be eclipsed is above its bound, or when the same bound still holds with the anchors or the groups taken out,
 * because then it would not be they that keep it. 20,000 restarts take some ten minutes; with fewer the limits are wide
 * and the bounds may be broken by chance.
 */
import {
  type Attack,
  BOTS,
  GROUPS,
  NO_ANCHOR,
  restarts,
  type Series,
  UNGROUPED,
  type Variant,
} from '../peers/eclipse-model.ts'
import { atLeast, atMost } from '../peers/eclipse-statistics.ts'

const PER_BOOK = 200
const full = Number(process.argv[2] ?? 20_000)
if (!Number.isInteger(full) || full < 10 * PER_BOOK) throw new Error(`at least ${10 * PER_BOOK} restarts`)
const tenth = Math.max(10 * PER_BOOK, full / 10)

interface Row {
  readonly name: string
  readonly attack: Attack
  readonly variant?: Variant
  readonly count: number
  /** The most that it may be, or what it must be above. */
  readonly must?: { readonly atMost: number } | { readonly above: number }
}

const rows: readonly Row[] = [
  { name: '4,600 addresses, own groups', attack: BOTS, count: full, must: { atMost: 0.01 } },
  // Nearer to its bound, so that it takes more to tell them apart.
  { name: '32 groups x 256', attack: GROUPS, count: 2 * full, must: { atMost: 0.003 } },
  {
    name: '4,600, no anchors',
    attack: BOTS,
    variant: { anchors: 0 },
    count: tenth,
    must: { above: 0.1 },
  },
  {
    name: '32 x 256, no anchors',
    attack: GROUPS,
    variant: { anchors: 0 },
    count: tenth,
    must: { above: 0.03 },
  },
  {
    name: '32 x 256, groups not looked at',
    attack: UNGROUPED,
    count: full / 2,
    must: { above: 0.003 },
  },
  {
    name: '32 x 256, no group rule in dialling',
    attack: GROUPS,
    variant: { isWithoutGroupRule: true },
    count: full,
  },
  { name: '4,600, 8 places, no anchors', attack: BOTS, variant: { target: 8, anchors: 0 }, count: tenth },
  { name: '4,600, 10 places, 2 anchors', attack: BOTS, variant: { target: 10, anchors: 2 }, count: tenth },
  { name: "4,600, 2 of 4 anchors the attacker's", attack: { ...BOTS, ownAnchors: 2 }, count: tenth },
  { name: "32 x 256, 2 of 4 anchors the attacker's", attack: { ...GROUPS, ownAnchors: 2 }, count: tenth },
]

const percent = (p: number): string => `${(p * 100).toFixed(2)} %`.padStart(9)

let broken = 0
console.log(`an honest node restarts; no anchor is online in ${percent(NO_ANCHOR).trim()} of all cases`)
console.log(`${'attack'.padEnd(42)} restarts eclipsed    share  at least   at most  bound`)
for (const { name, attack, variant = {}, count, must } of rows) {
  const series: Series = { seed: `long/${name}`, books: Math.ceil(count / PER_BOOK), restarts: PER_BOOK }
  let trials = 0
  let eclipsed = 0
  for (const { isEclipsed } of restarts(attack, variant, series)) {
    trials++
    if (isEclipsed) eclipsed++
  }
  const limits = { least: atLeast(eclipsed, trials), most: atMost(eclipsed, trials) }
  const isKept =
    must === undefined || ('atMost' in must ? limits.most <= must.atMost : limits.least > must.above)
  if (!isKept) broken++
  const bound =
    must === undefined
      ? ''
      : 'atMost' in must
        ? `<= ${percent(must.atMost).trim()}`
        : `> ${percent(must.above).trim()}`
  const numbers = [percent(eclipsed / trials), percent(limits.least), percent(limits.most)].join(' ')
  console.log(
    `${name.padEnd(42)} ${String(trials).padStart(8)} ${String(eclipsed).padStart(8)} ${numbers}  ${bound}${isKept ? '' : '  BROKEN'}`,
  )
}
console.log(broken === 0 ? 'all bounds hold' : `${broken} bounds are broken`)
process.exitCode = broken === 0 ? 0 : 1
