/**
 * Redraws a few lines in place on a terminal.
 *
 * Rules: a frame is one write, each line erased only behind its new text, so nothing flickers. The cursor is
 * hidden meanwhile and always shown again, also when the process ends by an exception or `process.exit`.
 * The caller's lines must fit the screen: a line that wraps or scrolls would be drawn twice.
 */

export interface Terminal {
  write(text: string): unknown
}

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const ERASE_TO_LINE_END = '\x1b[K'
const ERASE_TO_SCREEN_END = '\x1b[J'

/**
 * Rows and columns of a terminal. One that does not know them says nothing or 0, as a pseudo-terminal does that
 * nobody has given a size: then it is taken for one of 24 × 80.
 */
export function sizeOf({ rows, columns }: { rows?: number; columns?: number }): {
  rows: number
  columns: number
} {
  return { rows: rows || 24, columns: columns || 80 }
}

export class Screen {
  readonly #terminal: Terminal
  #height = 0
  #open = false
  readonly #restore = (): void => this.close()

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  /** Draws over the frame before. */
  draw(lines: readonly string[]): void {
    if (!this.#open) process.once('exit', this.#restore)
    const up = this.#height === 0 ? '' : `\x1b[${this.#height}A`
    const text = lines.map(line => `${line}${ERASE_TO_LINE_END}\n`).join('')
    this.#terminal.write(`${this.#open ? '' : HIDE_CURSOR}${up}\r${text}${ERASE_TO_SCREEN_END}`)
    this.#height = lines.length
    this.#open = true
  }

  /** Leaves the last frame standing and gives the cursor back. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#height = 0
    process.off('exit', this.#restore)
    this.#terminal.write(SHOW_CURSOR)
  }
}
