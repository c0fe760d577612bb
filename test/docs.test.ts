import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse as parseYaml } from 'yaml'
import { withPeersTables } from '../scripts/peers-tables.ts'
import { addrCommand } from '../src/cli/addr.ts'
import { banCommand } from '../src/cli/ban.ts'
import { peersCommand } from '../src/cli/peers.ts'
import { startCommand } from '../src/cli/start.ts'
import { parseConfig } from '../src/config/parse.ts'
import { messageHex, messageId } from '../src/core/hash.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const pages = ['README.md', 'CHANGELOG.md', ...readdirSync(join(root, 'docs')).map(name => `docs/${name}`)]

/** Commands by their names. */
const COMMANDS = new Map([
  ['addr', addrCommand],
  ['ban', banCommand],
  ['peers', peersCommand],
  ['start', startCommand],
])

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

    test(`${page}: every link to a heading finds it`, () => {
      const links = [...read(page).matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)]
      const missing = links.filter(([, file = '', heading = '']) => {
        const target = file === '' ? page : relative(root, resolve(root, dirname(page), file))
        return !headingsOf(target).includes(heading)
      })
      assert.deepEqual(
        missing.map(([link]) => link),
        [],
      )
    })
  }

  test('every metric that they name exists', () => {
    const known = sources('src').flatMap(metricsIn)
    const named = [...new Set(pages.flatMap(page => metricsIn(read(page))))]
    assert.ok(named.length > 20)
    assert.deepEqual(
      named.filter(name => !known.includes(name)),
      [],
    )
  })
})

describe('docs/peers.md', () => {
  test('its tables are those of the source', () => {
    const page = read('docs/peers.md')
    assert.equal(page, withPeersTables(page), 'run `npm run generate`')
  })

  test('its configurations are valid', () => {
    const examples = blocks('docs/peers.md', 'yaml')
    assert.ok(examples.length >= 2)
    for (const example of examples) parseConfig(parseYaml(example))
  })

  test('it names every metric of the peers layer', () => {
    const named = metricsIn(read('docs/peers.md'))
    const made = sources('src/peers').flatMap(metricsIn)
    assert.ok(made.length > 10)
    assert.deepEqual(
      made.filter(name => !named.includes(name)),
      [],
    )
  })

  const lines = [...read('docs/peers.md').matchAll(/^\$ floodgate (.+)$/gm)].map(match => match[1] ?? '')
  for (const line of lines) {
    test(`the command \`floodgate ${line}\` exists`, () => {
      const [name = '', ...words] = line.split(' ')
      const make = COMMANDS.get(name)
      assert.ok(make !== undefined, name)
      const command = make()
      const called = command.commands.find(child => child.name() === words[0]) ?? command
      for (const option of words.filter(word => word.startsWith('--'))) {
        assert.ok(
          called.options.some(({ long }) => long === option),
          option,
        )
      }
    })
  }

  test('it shows commands', () => assert.ok(lines.length > 5))
})

test('docs/gate.md names every metric of the gossip layer', () => {
  const named = metricsIn(read('docs/gate.md'))
  const made = sources('src/gossip').flatMap(metricsIn)
  assert.ok(made.length > 20)
  assert.deepEqual(
    made.filter(name => !named.includes(name)),
    [],
  )
})

test('docs/architecture.md names every pure machine', () => {
  const page = read('docs/architecture.md')
  const machines = paths('src').filter(path => /\ba pure machine\b/.test(firstComment(read(path))))
  assert.ok(machines.length > 15)
  assert.deepEqual(
    machines.filter(path => !page.includes(`${path.split('/').at(-1)}\``)),
    [],
  )
})

function metricsIn(text: string): string[] {
  return [...text.matchAll(/\bfloodgate_[a-z_]+[a-z]\b/g)].map(match => match[0])
}

/** The files of a folder of the source, by their paths from the root. */
function paths(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => `${folder}/${name}`)
}

function sources(folder: string): string[] {
  return paths(folder).map(read)
}

function firstComment(source: string): string {
  return /^\/\*\*[\s\S]*?\*\//.exec(source)?.[0] ?? ''
}

/** Of each heading of a page what a link to it has behind the `#`, as GitHub makes it. */
function headingsOf(page: string): string[] {
  const text = read(page).replace(/^```.*?^```$/gms, '')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(match =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

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
