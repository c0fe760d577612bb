/**
 * `--feed PATH`: real input, each file of a folder one message, or with `--lines` each line of a file.
 *
 * Rules: files in the order of their names, without those that begin with a dot; folders inside the folder are
 * not entered. A line is what stands between line ends, as bytes. Empty files and lines are no messages. Nothing
 * is held but the message that is being read, so a feed may be larger than memory.
 */
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { FloodgateError } from '../../core/errors.ts'
import { LineSplitter } from './lines.ts'

export interface FeedItem {
  /** For people: the file's name, with `--lines` and the number of the line. */
  readonly name: string
  readonly payload: Uint8Array
}

interface FeedFile {
  readonly path: string
  readonly name: string
  readonly sizeBytes: number
}

export interface FeedOptions {
  readonly lines: boolean
  /** What the topic allows: a larger message is an error that names its file. */
  readonly maxPayloadBytes: number
}

export class Feed {
  readonly #files: readonly FeedFile[]
  readonly #options: FeedOptions

  private constructor(files: readonly FeedFile[], options: FeedOptions) {
    this.#files = files
    this.#options = options
  }

  /** Finds the files and checks their sizes. @throws FloodgateError CONFIG */
  static async open(path: string, options: FeedOptions): Promise<Feed> {
    const files = (await listFiles(path)).filter(file => file.sizeBytes > 0)
    if (files.length === 0)
      throw new FloodgateError('CONFIG', `--feed ${path}: there is no file with anything in it`)
    if (!options.lines) for (const file of files) checkSize(file.name, file.sizeBytes, options)
    return new Feed(files, options)
  }

  /** What it is, for people: `7 files`, `the lines of 1 file`. */
  get description(): string {
    const files = this.#files.length === 1 ? '1 file' : `${this.#files.length} files`
    return this.#options.lines ? `the lines of ${files}` : files
  }

  /** From the first message on; may be called again. @throws FloodgateError CONFIG for a line that is too long */
  async *items(): AsyncGenerator<FeedItem, void, void> {
    for (const { path, name } of this.#files) {
      if (this.#options.lines) {
        yield* this.#linesOf(path, name)
        continue
      }
      const payload = await readFile(path)
      // The file may have grown since it was listed.
      checkSize(name, payload.byteLength, this.#options)
      if (payload.byteLength > 0) yield { name, payload }
    }
  }

  async *#linesOf(path: string, file: string): AsyncGenerator<FeedItem, void, void> {
    // One byte more for the \r that may stand before the \n.
    const splitter = new LineSplitter(this.#options.maxPayloadBytes + 1)
    let number = 0
    const named = (payload: Uint8Array): FeedItem => {
      number += 1
      const name = `${file}:${number}`
      checkSize(name, payload.byteLength, this.#options)
      return { name, payload }
    }
    try {
      for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
        for (const line of splitter.push(chunk)) {
          const item = named(line)
          if (line.byteLength > 0) yield item
        }
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new FloodgateError(
        'CONFIG',
        `${file}:${number + 1} is longer than the topic allows (${this.#options.maxPayloadBytes} bytes)`,
      )
    }
    const last = splitter.end()
    if (last !== undefined && last.byteLength > 0) yield named(last)
  }
}

async function listFiles(path: string): Promise<FeedFile[]> {
  const describe = async (file: string): Promise<FeedFile | undefined> => {
    const info = await stat(file)
    return info.isFile() ? { path: file, name: basename(file), sizeBytes: info.size } : undefined
  }
  try {
    if (!(await stat(path)).isDirectory()) return [await describe(path)].filter(file => file !== undefined)
    const names = (await readdir(path)).filter(name => !name.startsWith('.')).sort()
    const files = await Promise.all(names.map(name => describe(join(path, name))))
    return files.filter(file => file !== undefined)
  } catch (error) {
    throw new FloodgateError(
      'CONFIG',
      `--feed ${path}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

function checkSize(name: string, sizeBytes: number, { maxPayloadBytes }: FeedOptions): void {
  if (sizeBytes <= maxPayloadBytes) return
  throw new FloodgateError(
    'CONFIG',
    `${name} has ${sizeBytes} bytes; the topic allows ${maxPayloadBytes} (maxPayloadBytes)`,
  )
}
