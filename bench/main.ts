/**
 * `npm run bench -- NAME [options]`: runs one benchmark, or lists them when no name is given.
 *
 * A benchmark is a file of this folder that exports `benchmark`. It prints its table; this file writes what
 * it returns to `bench/results/NAME.json` together with the machine and the time, so that two runs can be
 * compared.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { type Benchmark, UsageError } from './support/benchmark.ts'

const FOLDER = new URL('./', import.meta.url)

async function names(): Promise<string[]> {
  const entries = await readdir(FOLDER, { withFileTypes: true })
  const files = entries.filter(
    entry => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== 'main.ts',
  )
  return files.map(entry => entry.name.slice(0, -'.ts'.length)).sort()
}

async function load(name: string): Promise<Benchmark> {
  const module: { benchmark: Benchmark } = await import(new URL(`${name}.ts`, FOLDER).href)
  return module.benchmark
}

async function list(): Promise<void> {
  console.log('npm run bench -- NAME [options]\n')
  for (const name of await names()) {
    const { summary, usage } = await load(name)
    console.log(`${name}  ${summary}\n${usage.replaceAll(/^/gm, '    ')}\n`)
  }
}

async function run(name: string, args: string[]): Promise<void> {
  const benchmark = await load(name)
  const startedAt = new Date().toISOString()
  const result = await benchmark.run(args)
  // It couldn't run here, and has said why: what an earlier run has written stays.
  if (result === undefined) return
  const machine = { cpu: cpus()[0]?.model, threads: availableParallelism(), node: process.version }
  const results = new URL('results/', FOLDER)
  await mkdir(results, { recursive: true })
  const file = new URL(`${name}.json`, results)
  await writeFile(file, `${JSON.stringify({ name, args, startedAt, machine, result }, null, 2)}\n`)
  console.log(`written: bench/results/${name}.json`)
}

function isUsage(error: unknown): error is Error {
  if (error instanceof UsageError) return true
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
}

const [name, ...args] = process.argv.slice(2)
try {
  if (name === undefined) await list()
  else if ((await names()).includes(name)) await run(name, args)
  else throw new UsageError(`no benchmark is called ${name}; there are: ${(await names()).join(', ')}`)
} catch (error) {
  if (!isUsage(error)) throw error
  console.error(error.message)
  process.exitCode = 2
}
