/**
 * `floodgate cluster` as a process of a test, and what can be known about it from outside.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))

/** Far more than any of these takes, also on a machine that does something else. */
export const DEADLINE_MS = 90_000

/** How it ended, and all that it has printed. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Started with the construction; its temporary files go to `temporary`. */
export class Cluster {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], temporary: string) {
    const env = { ...process.env, TMPDIR: temporary }
    this.process = spawn(process.execPath, [MAIN, 'cluster', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = new Promise(resolve => {
      this.process.once('close', code => resolve({ code, stdout: this.stdout, stderr: this.stderr }))
    })
  }

  /** The processes of its nodes, now. */
  nodes(): number[] {
    return children(this.process.pid)
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }
}

/** The children of a process. A small Linux image has no `ps`, and other systems have no /proc. */
function children(parent: number | undefined): number[] {
  if (existsSync('/proc/self/stat')) {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number)
      .filter(pid => parentOf(pid) === parent)
  }
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = lines.map(line => line.trim().split(/\s+/).map(Number))
  // `ps` itself is a child of ours, not of the cluster.
  return pairs.filter(([, ppid]) => ppid === parent).map(([pid = 0]) => pid)
}

/** From /proc/PID/stat: `pid (name) state ppid …`, where the name may hold anything. */
function parentOf(pid: number): number | undefined {
  try {
    const [, ppid] = /.*\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return Number(ppid)
  } catch {
    return undefined
  }
}

/** Asks again until it holds. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS
  while (!holds()) {
    if (performance.now() > endMs) assert.fail(`not within ${DEADLINE_MS} ms: ${what}`)
    await pause(20)
  }
}

/** Waits for the end, and kills what does not end. */
export async function endOf(cluster: Cluster): Promise<Ended> {
  const deadline = new AbortController()
  const late = pause(DEADLINE_MS, undefined, { signal: deadline.signal }).then(() => {
    cluster.kill('SIGKILL')
    return assert.fail(`the cluster did not end:\n${cluster.stdout}${cluster.stderr}`)
  })
  const ended = await Promise.race([cluster.ended, late])
  deadline.abort()
  late.catch(() => {})
  return ended
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits until none of the processes is left. */
export const allGone = (pids: readonly number[]): Promise<void> =>
  eventually(`the nodes ${pids} are gone`, () => !pids.some(isAlive))
