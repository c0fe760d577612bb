import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Feed, type FeedOptions } from '../../../src/cli/cluster/feed.ts'
import { FloodgateError } from '../../../src/core/errors.ts'

const isConfigError = (message: RegExp) => (error: unknown) =>
  error instanceof FloodgateError && error.code === 'CONFIG' && message.test(error.message)

describe('Feed', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'feed-'))
    await mkdir(join(folder, 'many/inside'), { recursive: true })
    await mkdir(join(folder, 'none'))
    const files = { 'b.bin': 'second', 'a.bin': 'first', '.hidden': 'x', empty: '', 'inside/deep': 'x' }
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'many', name), text)
    await writeFile(join(folder, 'lines.txt'), 'one\r\n\ntwo\nthree')
    await writeFile(join(folder, 'long.txt'), `fits\n${'x'.repeat(200_000)}\n`)
  })
  after(() => rm(folder, { recursive: true }))

  const itemsOf = async (path: string, options: Partial<FeedOptions> = {}): Promise<[string, string][]> => {
    const feed = await Feed.open(join(folder, path), { lines: false, maxPayloadBytes: 100_000, ...options })
    const items: [string, string][] = []
    for await (const { name, payload } of feed.items()) items.push([name, Buffer.from(payload).toString()])
    return items
  }

  it('gives the files of a folder in the order of their names', async () => {
    assert.deepEqual(await itemsOf('many'), [
      ['a.bin', 'first'],
      ['b.bin', 'second'],
    ])
  })

  it('gives one file, whole or by lines', async () => {
    assert.deepEqual(await itemsOf('lines.txt'), [['lines.txt', 'one\r\n\ntwo\nthree']])
    const lines = [
      ['lines.txt:1', 'one'],
      ['lines.txt:3', 'two'],
      ['lines.txt:4', 'three'],
    ]
    assert.deepEqual(await itemsOf('lines.txt', { lines: true }), lines)
  })

  it('gives the lines of all files of a folder', async () => {
    assert.deepEqual(await itemsOf('many', { lines: true }), [
      ['a.bin:1', 'first'],
      ['b.bin:1', 'second'],
    ])
  })

  it('can be read again, and says what it is', async () => {
    const feed = await Feed.open(join(folder, 'many'), { lines: false, maxPayloadBytes: 10 })
    for (let round = 0; round < 2; round += 1) {
      const names: string[] = []
      for await (const { name } of feed.items()) names.push(name)
      assert.deepEqual(names, ['a.bin', 'b.bin'])
    }
    assert.equal(feed.description, '2 files')
    const one = await Feed.open(join(folder, 'lines.txt'), { lines: true, maxPayloadBytes: 10 })
    assert.equal(one.description, 'the lines of 1 file')
  })

  const mistakes: [string, string, Partial<FeedOptions>, RegExp][] = [
    ['a path that is not there', 'missing', {}, /--feed .*missing: ENOENT/],
    ['a folder without files', 'none', {}, /no file with anything in it/],
    [
      'a file larger than the topic allows',
      'many',
      { maxPayloadBytes: 5 },
      /b\.bin has 6 bytes; the topic allows 5/,
    ],
    [
      'a line larger than the topic allows',
      'lines.txt',
      { lines: true, maxPayloadBytes: 4 },
      /lines\.txt:4 has 5 bytes|lines\.txt:4 is longer/,
    ],
    ['a line larger than a chunk', 'long.txt', { lines: true, maxPayloadBytes: 10 }, /long\.txt:2 is longer/],
  ]
  for (const [id, path, options, message] of mistakes) {
    it(`refuses ${id}`, () => assert.rejects(itemsOf(path, options), isConfigError(message)))
  }
})
