/**
 * The control socket: a file in the data folder by which other processes of the same user reach the node.
 *
 * - Only its owner may use it (mode 0600), from its first moment on: it is made under a umask that leaves nothing to
 *   others, because between making it and a `chmod` anyone could have connected.
 * - A file that a dead process has left is replaced, a live one is `IN_USE`. Two processes that find the same dead file
 *   cannot both get here: the store of the data folder has one of them turned away before.
 * - The address of a socket has room for about 100 bytes of path. For a longer one a link to its folder is made for the
 *   moment, in a temporary folder of our own. So the socket is always in the data folder, where a client looks for it,
 *   and nothing need be agreed on in a folder where others may write.
 */
import { once } from 'node:events'
import { chmodSync, lstatSync, mkdtempSync, rmdirSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { connect, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { FloodgateError } from '../core/errors.ts'

/** `sun_path` has 108 bytes on Linux and 104 on macOS, with the zero at its end. */
const PATH_MAX_BYTES = 103

/** Where the node that uses a data folder listens. */
export function socketPath(dataDir: string): string {
  return join(resolve(dataDir), 'floodgate.sock')
}

/** Makes the socket. @throws FloodgateError IN_USE, LISTEN */
export async function listenOn(server: Server, path: string): Promise<void> {
  try {
    await removeDead(path)
    await withShortPath(path, async short => {
      const listening = once(server, 'listening')
      const before = process.umask(0o077)
      try {
        server.listen(short)
      } finally {
        process.umask(before)
      }
      await listening
    })
    chmodSync(path, 0o600)
  } catch (cause) {
    if (cause instanceof FloodgateError) throw cause
    throw new FloodgateError('LISTEN', `cannot make the control socket ${path}: ${reasonOf(cause)}`, {
      cause,
    })
  }
}

/** Removes the socket, once nobody listens on it. */
export function removeSocket(path: string): void {
  rmSync(path, { force: true })
}

/** A connection to a socket. @throws what the system says: ENOENT, ECONNREFUSED when nobody listens, EACCES */
export async function connectTo(path: string): Promise<Socket> {
  return await withShortPath(path, async short => {
    const socket = connect(short)
    await once(socket, 'connect')
    return socket
  })
}

/** @throws FloodgateError IN_USE, LISTEN; or what the system says */
async function removeDead(path: string): Promise<void> {
  const file = lstatSync(path, { throwIfNoEntry: false })
  if (file === undefined) return
  if (!file.isSocket()) throw new FloodgateError('LISTEN', `${path} is in the way: it is no socket`)
  if (await isAlive(path)) throw new FloodgateError('IN_USE', `another process listens on ${path}`)
  unlinkSync(path)
}

async function isAlive(path: string): Promise<boolean> {
  try {
    const socket = await connectTo(path)
    socket.destroy()
    return true
  } catch (error) {
    // Its queue of connections is full: somebody is there.
    if (codeOf(error) === 'EAGAIN') return true
    if (codeOf(error) === 'ECONNREFUSED') return false
    throw error
  }
}

/** Calls with a name of the path that a socket's address has room for, valid until the promise is settled. */
async function withShortPath<T>(path: string, use: (short: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= PATH_MAX_BYTES) return await use(path)
  const folder = mkdtempSync(join(tmpdir(), 'floodgate-'))
  try {
    const link = join(folder, 'data')
    symlinkSync(dirname(path), link)
    try {
      return await use(join(link, basename(path)))
    } finally {
      unlinkSync(link)
    }
  } finally {
    rmdirSync(folder)
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
