/**
 * The tables of `docs/peers.md` that come from the source: offences with their weights, and every reason for which a
 * connection is closed. Between their marks the page is not edited by hand; a test compares it with what would be written.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parseConfig } from '../src/config/parse.ts'
import { DROP_REASONS, type DropReason } from '../src/core/drops.ts'
import { OFFENCES } from '../src/core/offences.ts'
import { retryAfterMs } from '../src/peers/goodbye.ts'

const END = '<!-- End of what is generated. -->'

const MINUTE_MS = 60_000

/** The page with its tables as they should be. */
export function withPeersTables(page: string): string {
  const offences = replaced(page, beginOf('src/core/offences.ts'), offencesTable())
  return replaced(offences, beginOf('src/core/drops.ts'), dropsTable())
}

function beginOf(source: string): string {
  return `<!-- Generated from ${source} by \`npm run generate\`. -->`
}

/** Puts a table between its mark and the next end. */
function replaced(page: string, begin: string, table: string): string {
  const start = page.indexOf(begin)
  const end = page.indexOf(END, start)
  assert.ok(start >= 0 && end > start, `the page has lost the mark ${begin}`)
  return `${page.slice(0, start)}${begin}\n\n${table}\n\n${page.slice(end)}`
}

function offencesTable(): string {
  const { dropBelow } = parseConfig({}).score
  assert.ok(dropBelow !== null)
  const meanings = commentsOf(readFileSync(new URL('../src/core/offences.ts', import.meta.url), 'utf8'))
  const rows = Object.entries(OFFENCES).map(([offence, weight]) => {
    const meaning = meanings.get(offence)
    assert.ok(meaning !== undefined, `the offence ${offence} has no comment`)
    // A peer is dropped below the line, not on it.
    const enough = Math.floor(-dropBelow / weight) + 1
    return `| \`${offence}\` | ${weight} | ${enough} | ${cell(meaning)} |`
  })
  return ['| offence | weight | drop at the | what the peer did |', '|---|---|---|---|', ...rows].join('\n')
}

/** The comment above each entry of the table of offences, on one line. */
function commentsOf(source: string): Map<string, string> {
  const body = /export const OFFENCES = \{\n([\s\S]*?)\n\} as const/.exec(source)?.[1] ?? ''
  const entries = body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*'?([a-z-]+)'?:/g)
  return new Map(
    [...entries].map(([, comment = '', offence = '']) => [
      offence,
      comment
        .replace(/\n\s*\*/g, ' ')
        .replace(/\s+/g, ' ')
        .trim(),
    ]),
  )
}

function dropsTable(): string {
  const rows = Object.entries(DROP_REASONS).map(([reason, meaning]) => {
    const restMs = retryAfterMs(reason as DropReason)
    return `| \`${reason}\` | ${cell(meaning)} | ${restMs === 0 ? '' : `${restMs / MINUTE_MS} min`} |`
  })
  return ['| reason | why | who is told so stays away for |', '|---|---|---|', ...rows].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
