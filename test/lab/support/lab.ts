/**
 * A lab: several hosts on one machine, each a network namespace, joined by a switch that gives them rates and delays.
 * The tool is a script outside of this repository, `../shared/lab/tunlab.sh`; the kernel's own TCP runs on both ends.
 *
 * Rule: names and files are this process's own, so that labs do not disturb each other, and `down` leaves nothing.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const SCRIPT = join(import.meta.dirname, '../../../../shared/lab/tunlab.sh')

/** The switch is compiled at the first use. */
const DEADLINE_MS = 60_000

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** What the switch has counted since the start; the lateness since the last question. */
export interface LabStats {
  /** How much later than planned a packet was forwarded, on average. */
  readonly lateMeanUs: number
  /** Packets that found a queue full. */
  readonly dropped: number
  /** What all hosts have sent: IP packets with their headers, also those that were dropped. */
  readonly sentBytes: number
}

/** Why there can be no lab here; undefined when there can. */
export function whyNoLab(): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun'
  if (!existsSync(SCRIPT)) return 'there is no ../shared/lab/tunlab.sh'
  const missing = ['bash', 'ip', 'gcc', 'python3', 'setsid'].filter(tool => !isInstalled(tool))
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`
}

export class Lab {
  /** In front of a command: it runs on host `{i}`, counted from 1. */
  readonly wrapper: readonly string[]
  readonly #prefix = `fl${process.pid}x`
  /** For the data of what runs on the hosts too: it goes with the lab. */
  readonly folder = mkdtempSync(join(tmpdir(), 'floodgate-lab-'))

  readonly #end = (): void => {
    process.off('exit', this.#end)
    this.down()
    process.exit(1)
  }

  constructor() {
    this.wrapper = ['ip', 'netns', 'exec', `${this.#prefix}{i}`]
  }

  /** @param commands of the switch: `rate`, `queue`, `lat`, … @throws Error when it can't be made */
  up(hosts: number, commands: readonly string[]): void {
    // Also when the run is broken off: namespaces outlive the process that made them.
    process.on('exit', this.#end)
    for (const signal of SIGNALS) process.on(signal, this.#end)
    this.#run('up', String(hosts))
    this.#run('ctl', ...commands)
  }

  /** Commands to the switch while it runs: `cut 1 5 1`, `heal`, `loss * 2`. */
  tell(...commands: readonly string[]): void {
    this.#run('ctl', ...commands)
  }

  /** How many connections with a host of `others` the kernel of each host of `hosts` holds open, all together. */
  connections(hosts: readonly number[], others: readonly number[]): number {
    const addresses = new Set(others.map(host => `10.78.0.${host + 1}`))
    return hosts.reduce((sum, host) => {
      const listed = this.#run('exec', String(host), 'ss', '-Htn', 'state', 'established')
      const peers = listed.split('\n').map(line => line.trim().split(/\s+/)[3]?.replace(/:\d+$/, '') ?? '')
      return sum + peers.filter(peer => addresses.has(peer)).length
    }, 0)
  }

  stats(): LabStats {
    const stats = JSON.parse(this.#run('ctl', 'stats')) as {
      late_avg_us: number
      nodes: { txb: number; dropq: number; droploss: number; droppart: number }[]
    }
    const dropped = stats.nodes.reduce((sum, node) => sum + node.dropq + node.droploss + node.droppart, 0)
    const sentBytes = stats.nodes.reduce((sum, node) => sum + node.txb, 0)
    return { lateMeanUs: stats.late_avg_us, dropped, sentBytes }
  }

  /** Ends everything that runs on the hosts, and removes them; also good after an `up` that failed. */
  down(): void {
    try {
      this.#run('down')
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
    } finally {
      // Not before: signals come twice, from a terminal or `timeout` and from npm, and the second would end this.
      process.off('exit', this.#end)
      for (const signal of SIGNALS) process.off(signal, this.#end)
    }
  }

  #run(...args: string[]): string {
    // In a session of its own, or a signal to our process group would end it in the middle.
    return execFileSync('setsid', ['--wait', SCRIPT, ...args], {
      env: { ...process.env, FG_PREFIX: this.#prefix, FG_RUN: this.folder },
      timeout: DEADLINE_MS,
      encoding: 'utf8',
      // What the script says on its standard error becomes the message of the error.
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
}

function isInstalled(tool: string): boolean {
  const { PATH = '' } = process.env
  return PATH.split(delimiter).some(folder => existsSync(join(folder, tool)))
}
