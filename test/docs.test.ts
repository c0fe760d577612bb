import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { messageHex, messageId } from '../src/core/hash.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`)]

/** The code blocks of a page in one language. */
function blocks(path: string, language: string): string[] {
  return [...read(path).matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(block => block[1] === language)
    .map(block => block[2] ?? '')
}

describe('the README', () => {
  test('its example runs as it stands', { timeout: 60_000 }, async () => {
    const [example = ''] = blocks('README.md', 'ts')
    const folder = mkdtempSync(join(tmpdir(), 'floodgate-readme-'))
    try {
      const file = join(folder, 'example.mts')
      writeFileSync(file, example)
      const hook = new URL('./fixtures/self-import.ts', import.meta.url).href
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', hook, file], {
        timeout: 50_000,
      })
      assert.match(stdout, /sent: true, recipients: 1, rtt: true/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('its test command is the one that CI runs', () => {
    const [commands = ''] = blocks('README.md', 'sh')
    const command = /^npm ci && npm test\b/m
    assert.match(commands, command)
    assert.match(read('.ci/run'), command)
  })

  test('every npm script that it names exists', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = pages.flatMap(page =>
      [...read(page).matchAll(/npm run (?:-s )?([a-z:]+)/g)].map(match => match[1] ?? ''),
    )
    assert.ok(named.length > 3)
    assert.deepEqual(
      named.filter(name => scripts[name] === undefined),
      [],
    )
  })
})

describe('the pages', () => {
  for (const page of pages) {
    test(`${page}: every link leads somewhere`, () => {
      const links = [...read(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(match => match[1] ?? '')
      const local = links.filter(link => !link.startsWith('http'))
      assert.deepEqual(
        local.filter(link => !existsSync(resolve(root, dirname(page), link))),
        [],
      )
    })
  }
})

test('docs/protocols.md: the test vectors of the message id hold', () => {
  const rows = [...read('docs/protocols.md').matchAll(/^\| `([^`]+)` \| (.*?) \| `([0-9a-f]{40})` \|$/gm)]
  assert.equal(rows.length, 6)
  for (const [, topic = '', data = '', id = ''] of rows) {
    assert.equal(messageHex(messageId(topic, bytesOf(data))), id, `${topic} ${data}`)
  }
})

/** A cell of the table: `empty`, hex in backquotes, or the pattern in words. */
function bytesOf(cell: string): Uint8Array {
  const pattern = /^([\d,]+) bytes, byte \*i\* is \*i\* mod (\d+)$/.exec(cell)
  if (pattern !== null) {
    const [, size = '', modulus = ''] = pattern
    return Uint8Array.from({ length: Number(size.replaceAll(',', '')) }, (_, i) => i % Number(modulus))
  }
  const hex = /^`([0-9a-f]*)`/.exec(cell)?.[1]
  assert.ok(hex !== undefined || cell === 'empty', `a cell that says neither: ${cell}`)
  return Buffer.from(hex ?? '', 'hex')
}
