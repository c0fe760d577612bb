/**
 * One message on its way, as lines of text: who gave which part to whom, and when.
 *
 *   - A row for each node over time: in each column the letter of the node that gave most of what came then, a dot where
 *     nothing came, and nothing after the last part.
 *   - The same rows by part, where there is more than one: who gave each.
 *   - Of each node, how many parts it has of whom.
 *
 * A node's letter stands before its row. With more nodes than letters the others share `*`.
 */
import type { TracedMessage, TracedPart } from './trace.ts'
import { formatBytes, formatMs } from './units.ts'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Columns of a row beside the marks, and the fewest marks that say anything. */
const LABEL_COLUMNS = 18
const MARKS_MIN = 20

/** @param columns of the terminal */
export function tracePicture(message: TracedMessage, nodes: number, columns: number): string[] {
  const { id, sent, count, parts } = message
  const width = Math.max(MARKS_MIN, columns - LABEL_COLUMNS)
  const beganUs = sent?.atUs ?? Math.min(...parts.map(({ atUs }) => atUs))
  const endUs = parts.reduce((latest, { atUs }) => Math.max(latest, atUs), beganUs)
  const spanUs = Math.max(1, endUs - beganUs)
  const rows = rowsOf(parts, nodes)
  const timeColumn = ({ atUs }: TracedPart): number =>
    clamp(Math.floor(((atUs - beganUs) * width) / spanUs), width)
  const partWidth = Math.min(width, count)
  const partColumn = ({ index }: TracedPart): number =>
    clamp(Math.floor((index * partWidth) / count), partWidth)
  const size = sent === undefined ? '' : `, ${formatBytes(sent.sizeBytes)}`
  const what = count === 1 ? 'in one piece' : `in ${count} parts`
  return [
    `trace of ${id.slice(0, 16)}…${size} ${what}, from ${sent === undefined ? 'nobody' : nameOf(sent.node)}`,
    '',
    scale(width, `0 to ${formatMs((endUs - beganUs) / 1_000)}, who gave`),
    ...rows.map((got, node) =>
      row(node, sent?.node, marks(got, width, timeColumn, '·', true), lastMs(got, beganUs)),
    ),
    ...(count === 1
      ? []
      : [
          '',
          scale(partWidth, `parts 0 to ${count - 1}, who gave each`),
          ...rows.map((got, node) =>
            row(node, sent?.node, marks(got, partWidth, partColumn, '·', false), ''),
          ),
        ]),
    '',
    ...rows.map((got, node) => giversOf(got, node, sent?.node)),
  ]
}

/** The parts of each node, as they came. */
function rowsOf(parts: readonly TracedPart[], nodes: number): TracedPart[][] {
  const rows: TracedPart[][] = Array.from({ length: nodes }, () => [])
  for (const part of parts) rows[part.node]?.push(part)
  for (const row of rows) row.sort((one, other) => one.atUs - other.atUs)
  return rows
}

function marks(
  parts: readonly TracedPart[],
  width: number,
  columnOf: (part: TracedPart) => number,
  nothing: string,
  endsWithLast: boolean,
): string {
  const cells: number[][] = Array.from({ length: width }, () => [])
  for (const part of parts) cells[columnOf(part)]?.push(part.from)
  const text = cells.map(givers => (givers.length === 0 ? nothing : letterOf(mostOf(givers))))
  const last = text.findLastIndex(mark => mark !== nothing)
  return (endsWithLast && last >= 0 ? text.slice(0, last + 1) : text).join('').padEnd(width)
}

function row(node: number, sender: number | undefined, text: string, note: string): string {
  const shown = node === sender ? 'sent it'.padEnd(text.length) : text
  return `${label(node)} ${shown} ${note}`.trimEnd()
}

function scale(width: number, text: string): string {
  const line = `├ ${text} `
  return `${' '.repeat(10)}${line}${'─'.repeat(Math.max(0, width - line.length - 1))}┤`
}

function giversOf(parts: readonly TracedPart[], node: number, sender: number | undefined): string {
  if (node === sender) return `${label(node)} sent it`
  if (parts.length === 0) return `${label(node)} got nothing`
  const counts = [...countsOf(parts.map(({ from }) => from))].sort(
    ([one, oneCount], [other, otherCount]) => otherCount - oneCount || one - other,
  )
  return `${label(node)} ← ${counts.map(([from, count]) => `${letterOf(from)} ${count}`).join(', ')}`
}

function label(node: number): string {
  return `${nameOf(node)} ${letterOf(node)}`.padEnd(9)
}

function nameOf(node: number): string {
  return node < 0 ? 'another' : `node ${node + 1}`.padEnd(7).trimEnd()
}

function letterOf(node: number): string {
  return node < 0 ? '?' : (LETTERS[node] ?? '*')
}

function mostOf(givers: readonly number[]): number {
  let best = -1
  let most = 0
  for (const [giver, count] of countsOf(givers)) {
    if (count <= most) continue
    best = giver
    most = count
  }
  return best
}

function countsOf(givers: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const giver of givers) counts.set(giver, (counts.get(giver) ?? 0) + 1)
  return counts
}

function lastMs(parts: readonly TracedPart[], beganUs: number): string {
  const last = parts.at(-1)
  return last === undefined ? '' : formatMs((last.atUs - beganUs) / 1_000)
}

function clamp(column: number, width: number): number {
  return Math.max(0, Math.min(width - 1, column))
}
