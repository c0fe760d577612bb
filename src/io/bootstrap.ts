/**
 * `bootstrap-peers.json`: `{ "<network>": ["<multiaddr>", …] }`, the way into a network for a node that knows nobody.
 */
import { readFile } from 'node:fs/promises'
import { FloodgateError } from '../core/errors.ts'
import type { Address } from '../core/types.ts'

/** The addresses for a network; none when the file does not name it. @throws FloodgateError CONFIG */
export async function readBootstrap(file: string, network: string): Promise<Address[]> {
  let content: unknown
  try {
    content = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new FloodgateError('CONFIG', `bootstrapFile ${file}: ${(cause as Error).message}`, { cause })
  }
  const isRecord = typeof content === 'object' && content !== null && !Array.isArray(content)
  const list = isRecord ? ((content as Record<string, unknown>)[network] ?? []) : undefined
  if (!Array.isArray(list) || !list.every(address => typeof address === 'string')) {
    const text = `bootstrapFile ${file}: expected { "${network}": ["<multiaddr>", …] }`
    throw new FloodgateError('CONFIG', text)
  }
  return list
}
