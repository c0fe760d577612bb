/**
 * Rows to aligned text.
 *
 * Rule: a column whose cells all begin like a number (a digit, a sign, or the dash that stands for "nothing
 * yet") is aligned to the right, title included, so that digits of one weight stand under one another. Every
 * other column is aligned to the left. Lines never end in spaces.
 */

export type Cell = string | number

/** Between two columns: wide enough to tell them apart, narrow enough for ten columns in 80 characters. */
const GAP = '  '

const NUMERIC = /^[+\-–]?\d|^–$|^$/

/**
 * One line for the titles and one for each row, without a newline at the end. A row that is shorter than the
 * titles is filled with empty cells. Cells are plain text: escape sequences would count as width.
 */
export function table(titles: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const columns = titles.map((title, index) => {
    const cells = rows.map(row => String(row[index] ?? ''))
    return {
      width: Math.max(...[title, ...cells].map(widthOf)),
      right: cells.length > 0 && cells.every(cell => NUMERIC.test(cell)),
    }
  })
  const line = (cells: readonly Cell[]): string =>
    columns
      .map(({ width, right }, index) => pad(String(cells[index] ?? ''), width, right))
      .join(GAP)
      .trimEnd()
  return [titles, ...rows].map(line).join('\n')
}

function pad(cell: string, width: number, right: boolean): string {
  const space = ' '.repeat(width - widthOf(cell))
  return right ? space + cell : cell + space
}

/** In code points: what a terminal shows for everything that our commands print. */
function widthOf(cell: string): number {
  return [...cell].length
}
