/**
 * Announced messages over bad lines: real processes, the kernel's TCP, 20 Mbit/s and 50 ms, with loss, with a partition
 * that lasts until both sides have noticed it, and with real blocks. Everything has to arrive everywhere.
 *
 * Not one of `npm test`: it takes some minutes, and needs root and tools that few machines have.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { until } from '../e2e/support/until.ts'
import { Lab, whyNoLab } from './support/lab.ts'

const ROOT = join(import.meta.dirname, '../..')
const BLOCKS = join(ROOT, '../shared/data/blocks')
const LINES = ['lat * * 50', 'rate * 20 0', 'queue * 200']

const LEFT = [1, 2, 3]
const RIGHT = [4, 5, 6]

/** Until all nodes run and know each other. */
const START_MS = 60_000

/** More than handshakes and heartbeats of six nodes send. */
const FLOWING_BYTES = 200_000

/** A silent connection is given up after half of that. */
const NOTICED_MS = 60_000

const skip = whyNoLab() ?? false
if (skip !== false) console.log(`skipped: ${skip}`)

interface Report {
  readonly ok: boolean
  readonly problems: readonly string[]
  readonly messages: number
  readonly coverage: number
  readonly copies: number
}

/** Runs a cluster on the hosts of a lab, and something meanwhile. */
async function runIn(
  hosts: number,
  commands: readonly string[],
  args: readonly string[],
  meanwhile: (lab: Lab) => Promise<void> = async () => {},
): Promise<Report> {
  const lab = new Lab()
  try {
    lab.up(hosts, [...LINES, ...commands])
    const cluster = [
      'src/cli/main.ts',
      'cluster',
      '--json',
      '--nodes',
      String(hosts),
      '--exec',
      lab.wrapper.join(' '),
    ]
    const running = promisify(execFile)(process.execPath, [...cluster, ...args], {
      cwd: ROOT,
      timeout: 300_000,
      maxBuffer: 16 * 1_024 * 1_024,
    })
    const [{ stdout }] = await Promise.all([running, meanwhile(lab)])
    return JSON.parse(stdout) as Report
  } finally {
    lab.down()
  }
}

function assertWhole({ ok, problems, messages, coverage }: Report): void {
  assert.deepEqual([ok, problems, coverage], [true, [], 1])
  assert.ok(messages > 0)
}

describe('Lab: announced messages', { skip }, () => {
  it('ask: all arrive with 2 % loss', async () => {
    const report = await runIn(
      8,
      ['loss * 2'],
      ['--mode', 'ask', '--rate', '40', '--size', '500', '--reject', '0', '--for', '15s'],
    )
    assertWhole(report)
  })

  it('swarm: all arrive with 2 % loss', async () => {
    const report = await runIn(
      8,
      ['loss * 2'],
      ['--mode', 'swarm', '--rate', '0.5', '--size', '300kB', '--reject', '0', '--for', '20s'],
    )
    assertWhole(report)
  })

  for (const [mode, size, rate] of [
    ['ask', '2kB', '4'],
    ['swarm', '200kB', '0.5'],
  ] as const) {
    it(`${mode}: all arrive after a partition in which each side loses all connections to the other`, async () => {
      const traffic = ['--mode', mode, '--rate', rate, '--size', size, '--reject', '0', '--for', '60s']
      const report = await runIn(6, [], traffic, async lab => {
        const across = (): number => lab.connections(LEFT, RIGHT)
        await until('the halves are connected', () => across() > 0, START_MS)
        const { sentBytes } = lab.stats()
        await until('messages flow', () => lab.stats().sentBytes > sentBytes + FLOWING_BYTES, START_MS)
        lab.tell(...LEFT.flatMap(one => RIGHT.map(other => `cut ${one} ${other} 1`)))
        await until('nobody is connected across', () => across() === 0, NOTICED_MS)
        lab.tell('heal')
      })
      assertWhole(report)
    })
  }

  it('swarm: real blocks reach 16 nodes', {
    skip: existsSync(BLOCKS) ? false : 'there are no ../shared/data/blocks',
  }, async () => {
    const report = await runIn(
      16,
      [],
      ['--mode', 'swarm', '--feed', BLOCKS, '--handler', 'examples/bitcoin-blocks.ts'],
    )
    assertWhole(report)
  })
})
