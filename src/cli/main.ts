#!/usr/bin/env node
/**
 * The command line. Each command is a file of its own, loaded only when it is called: a `--help` must not pay
 * for libp2p.
 *
 * Exit codes: 0 ok, 1 failed, 2 wrong usage or configuration.
 * This file itself uses nothing that an old Node lacks, so that it can say which one is needed.
 */
const NODE_MIN = [22, 18] as const

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  process.stderr.write(
    `floodgate needs Node ${NODE_MIN.join('.')} or later, this is ${process.versions.node}\n`,
  )
  process.exit(2)
}

const { runCli } = await import('./program.ts')
process.exitCode = await runCli(process.argv.slice(2))

export {}
