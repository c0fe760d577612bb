/**
 * The buckets of the address book as a picture: one character for each bucket, the taller (and on a terminal with
 * colours: the warmer) the fuller.
 *
 * - Levels double, 1, 2 to 3, 4 to 7, …: most books have a few addresses in each bucket, and one that is being flooded
 *   has some full buckets. On an even scale the first would look empty.
 * - A row holds a power of two of buckets, so that its number is easy to read, and as many as the width has room for.
 */
import type { AnswerOf } from '../../api/messages.ts'
import { formatCount } from '../cluster/units.ts'
import { type Cell, table } from '../table.ts'

type Stats = AnswerOf<'AddressStats'>

/** Places of a bucket. */
const BUCKET_PLACES = 64

/** From empty to full: what is drawn, its colour (SGR), and what it stands for. */
const LEVELS = [
  { glyph: '·', color: '90', range: '0' },
  { glyph: '▁', color: '34', range: '1' },
  { glyph: '▂', color: '36', range: '2–3' },
  { glyph: '▃', color: '32', range: '4–7' },
  { glyph: '▄', color: '92', range: '8–15' },
  { glyph: '▅', color: '33', range: '16–31' },
  { glyph: '▆', color: '31', range: '32–63' },
  { glyph: '█', color: '91', range: '64' },
] as const

/** The number of a row's first bucket, and the space behind it. */
const LABEL_CHARS = 6

const ROW_MIN = 8
const ROW_MAX = 128

/** `chars`: the room that it takes, which escape sequences do not. */
interface Word {
  readonly text: string
  readonly chars: number
}

/** Lines without an end at the last one, none longer than the width from 40 characters on. */
export function statsPicture(stats: Stats, width: number, isColored: boolean): string {
  const { newBuckets, triedBuckets, newAddresses, triedAddresses, bySource } = stats
  const columns = columnsFor(width)
  const legend = LEVELS.map(({ range }, level) => ({
    text: `${paint([level], isColored)} ${range}`,
    chars: 2 + range.length,
  }))
  return [
    ...section('tried: reached before', triedAddresses, triedBuckets, columns, isColored),
    '',
    ...section('new: only heard of', newAddresses, newBuckets, columns, isColored),
    '',
    ...wrapped(legend, width),
    '',
    table(['source', 'addresses', 'share'], sourceRows(bySource)),
  ].join('\n')
}

function section(
  title: string,
  addresses: number,
  buckets: readonly number[],
  columns: number,
  isColored: boolean,
): string[] {
  const used = buckets.filter(count => count > 0).length
  const full = buckets.filter(count => count >= BUCKET_PLACES).length
  const lines = [
    `${title}, ${formatCount(addresses)} addresses`,
    `${formatCount(used)} of ${formatCount(buckets.length)} buckets in use, ${formatCount(full)} full`,
  ]
  for (let first = 0; first < buckets.length; first += columns) {
    const row = buckets.slice(first, first + columns).map(levelOf)
    lines.push(`${String(first).padStart(LABEL_CHARS - 2)}  ${paint(row, isColored)}`)
  }
  return lines
}

/** How many buckets a row has. */
function columnsFor(width: number): number {
  let columns = ROW_MIN
  while (columns < ROW_MAX && 2 * columns + LABEL_CHARS <= width) columns *= 2
  return columns
}

/** 0 for an empty bucket, 7 for a full one. */
function levelOf(count: number): number {
  return count < 1 ? 0 : Math.min(LEVELS.length - 1, 1 + Math.floor(Math.log2(count)))
}

/** The characters of levels; a colour is named once for all neighbours that have it. */
function paint(levels: readonly number[], isColored: boolean): string {
  let text = ''
  let before: string | undefined
  for (const level of levels) {
    const { glyph, color } = LEVELS[level] ?? LEVELS[0]
    if (isColored && color !== before) text += `\x1b[${color}m`
    text += glyph
    before = color
  }
  return isColored && before !== undefined ? `${text}\x1b[0m` : text
}

/** Words on as few lines as the width allows, two spaces between them. */
function wrapped(words: readonly Word[], width: number): string[] {
  const lines: string[] = []
  let room = 0
  for (const { text, chars } of words) {
    const last = lines.length - 1
    if (last >= 0 && room + 2 + chars <= width) {
      lines[last] += `  ${text}`
      room += 2 + chars
    } else {
      lines.push(text)
      room = chars
    }
  }
  return lines
}

function sourceRows(bySource: Stats['bySource']): Cell[][] {
  const entries = Object.entries(bySource).toSorted(([, a], [, b]) => b - a)
  const total = entries.reduce((sum, [, count]) => sum + count, 0)
  return entries.map(([source, count]) => [
    source,
    formatCount(count),
    total === 0 ? '–' : `${((100 * count) / total).toFixed(1)} %`,
  ])
}
