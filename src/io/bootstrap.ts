/**
 * `bootstrap-peers.json`: `{ "<network>": ["<multiaddr>", …] }`, the way into a network for a node that knows nobody.
 */
import { readFile } from 'node:fs/promises'
import { FloodgateError } from '../core/errors.ts'
import type { Address } from '../core/types.ts'

/**
 * The addresses for a network; none when the file does not name it.
 * @param signal gives up with its reason; a file may be a pipe, or on a disk that does not answer
 * @throws FloodgateError CONFIG
 */
export async function readBootstrap(file: string, network: string, signal: AbortSignal): Promise<Address[]> {
  let content: unknown
  try {
    content = JSON.parse(await Promise.race([readFile(file, 'utf8'), rejectionOf(signal)]))
  } catch (cause) {
    signal.throwIfAborted()
    throw new FloodgateError('CONFIG', `bootstrapFile ${file}: ${(cause as Error).message}`, { cause })
  }
  const isRecord = typeof content === 'object' && content !== null && !Array.isArray(content)
  // A Map knows only what the file says: a network may be called `constructor`.
  const list = isRecord ? (new Map(Object.entries(content as object)).get(network) ?? []) : undefined
  if (!Array.isArray(list) || !list.every(address => typeof address === 'string')) {
    const text = `bootstrapFile ${file}: expected { "${network}": ["<multiaddr>", …] }`
    throw new FloodgateError('CONFIG', text)
  }
  return list
}

/** `readFile` alone looks at its signal only between two steps, and may stand in one of them for ever. */
function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
