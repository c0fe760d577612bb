/**
 * `floodgate version`: what to write into a bug report.
 */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { type CommandContext, processContext } from './flags.ts'

export interface Versions {
  readonly floodgate: string
  readonly node: string
  readonly libp2p: string
  readonly gossipsub: string
}

/** The versions of Floodgate, of Node.js, and of the two libraries that shape a network most. */
export function versions(): Versions {
  // The same place from src/cli and from dist/cli. Dependencies are pinned, so this is what is installed.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version, dependencies } = JSON.parse(text) as {
    version: string
    dependencies: Record<string, string>
  }
  return {
    floodgate: version,
    node: process.versions.node,
    libp2p: dependencies.libp2p ?? 'unknown',
    gossipsub: dependencies['@libp2p/gossipsub'] ?? 'unknown',
  }
}

export function versionCommand(context: CommandContext = processContext()): Command {
  return new Command('version')
    .description('Print the versions of Floodgate and of what it stands on')
    .option('--json', 'print JSON')
    .action((options: { json?: true }) => {
      const all = versions()
      const lines = Object.entries(all).map(([name, version]) => `${name} ${version}\n`)
      context.stdout.write(options.json === true ? `${JSON.stringify(all)}\n` : lines.join(''))
    })
}
