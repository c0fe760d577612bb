/**
 * Programs of this folder in processes of their own, as virtual globals are for the whole of a process.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Of real time; the programs take one or two seconds on a free core. */
const DEADLINE_MS = 120_000

/** Runs `<program>.ts`; what it prints is one JSON value. */
export async function runChild<T>(program: string, ...args: string[]): Promise<T> {
  return await runLong<T>(DEADLINE_MS, program, args)
}

/** The same, within a time of its own. */
export async function runLong<T>(deadlineMs: number, program: string, args: readonly string[]): Promise<T> {
  const file = fileURLToPath(new URL(`${program}.ts`, import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [file, ...args], {
    timeout: deadlineMs,
    maxBuffer: 64 * 1024 * 1024,
  })
  return JSON.parse(stdout) as T
}
