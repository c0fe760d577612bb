/**
 * The last lines that a node logged, to show when it fails.
 *
 * Bounds: `LINES_MAX` lines of `CHARACTERS_MAX` characters. Older lines are dropped, and longer ones are cut.
 */

const LINES_MAX = 20
const CHARACTERS_MAX = 400

export class Tail {
  readonly #lines: string[] = []
  #open = ''

  push(text: string): void {
    const [first = '', ...more] = text.split('\n')
    this.#open = cut(this.#open + first)
    for (const line of more) {
      this.#close()
      this.#open = cut(line)
    }
  }

  /** Oldest first, an unfinished line included. Without the frames of stacks, which would push out the error. */
  lines(): string[] {
    return [...this.#lines, ...(isNoise(this.#open) ? [] : [this.#open])].map(readable)
  }

  #close(): void {
    if (isNoise(this.#open)) return
    this.#lines.push(this.#open)
    if (this.#lines.length > LINES_MAX) this.#lines.shift()
  }
}

function isNoise(line: string): boolean {
  return line.trim() === '' || /^\s+at /.test(line)
}

function cut(line: string): string {
  return line.length <= CHARACTERS_MAX ? line : `${line.slice(0, CHARACTERS_MAX - 1)}…`
}

/** A log line in JSON as its message; every other line as it is. */
function readable(line: string): string {
  if (!line.startsWith('{')) return line
  try {
    const { component, msg, err } = JSON.parse(line) as Record<string, unknown>
    if (typeof msg !== 'string') return line
    const cause =
      typeof err === 'object' && err !== null && 'message' in err ? ` (${String(err.message)})` : ''
    return `${typeof component === 'string' ? `${component}: ` : ''}${msg}${cause}`
  } catch {
    return line
  }
}
