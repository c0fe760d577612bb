/**
 * Counts what goes through the sockets of this process, without touching the code that uses them: Node tells of each
 * new socket on a diagnostics channel, and a socket counts its own bytes. So all variants are counted alike.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

export interface SocketBytes {
  readonly sentBytes: number
  readonly receivedBytes: number
}

export class SocketMeter {
  readonly #open = new Set<Socket>()
  #closedSentBytes = 0
  #closedReceivedBytes = 0

  /** Counts the sockets that are made from now on. */
  constructor() {
    for (const channel of ['net.client.socket', 'net.server.socket']) {
      subscribe(channel, message => this.#add((message as { socket: Socket }).socket))
    }
  }

  read(): SocketBytes {
    let sentBytes = this.#closedSentBytes
    let receivedBytes = this.#closedReceivedBytes
    for (const socket of this.#open) {
      sentBytes += socket.bytesWritten
      receivedBytes += socket.bytesRead
    }
    return { sentBytes, receivedBytes }
  }

  #add(socket: Socket): void {
    this.#open.add(socket)
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#closedSentBytes += socket.bytesWritten
      this.#closedReceivedBytes += socket.bytesRead
    })
  }
}
