/**
 * Counts what this process writes to TCP sockets, whoever has made them: all that a variant puts on the wire, with
 * encryption, control messages and acknowledgements of its own, and without the headers of TCP.
 *
 * Import it before anything connects.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

const open = new Set<Socket>()
let closedBytes = 0

function watch(message: unknown): void {
  const { socket } = message as { socket: Socket }
  open.add(socket)
  socket.once('close', () => {
    open.delete(socket)
    closedBytes += socket.bytesWritten
  })
}

subscribe('net.client.socket', watch)
subscribe('net.server.socket', watch)

/** Since the start of the process. */
export function writtenBytes(): number {
  let bytes = closedBytes
  for (const socket of open) bytes += socket.bytesWritten
  return bytes
}
