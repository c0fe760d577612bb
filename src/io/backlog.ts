/**
 * What a connection holds of all its streams' bytes and has not passed to the system.
 *
 * Three buffers lie between a stream and the kernel: of the encrypted connection, of the raw one, and of the socket, which
 * is full from its high-water mark (64 KiB) on. Not to be seen from here: what `noise.ts` gathers within a tick (a record),
 * the kernel's buffer (up to 4 MiB on Linux), and the pipe beneath a connection of the simulator.
 *
 * How: libp2p's connection keeps the raw connection in `maConn` and the multiplexer in `muxer`, which keeps the encrypted
 * one. These are not in its interface; that they are there is asserted once for each connection.
 */
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import type { Connection, MessageStream } from '@libp2p/interface'

/** What a connection of libp2p 3.3.11 is inside. */
interface Inside {
  readonly maConn?: MessageStream & { readonly socket?: unknown }
  readonly muxer?: { readonly maConn?: MessageStream }
}

export class Backlog {
  readonly #raw: MessageStream
  readonly #encrypted: MessageStream
  /** Absent in the simulator. */
  readonly #socket: Socket | undefined

  constructor(connection: Connection) {
    const { maConn, muxer } = connection as unknown as Inside
    assert.ok(
      maConn?.writeBufferLength !== undefined && muxer?.maConn?.writeBufferLength !== undefined,
      'libp2p has changed: its connection no longer shows `maConn`, `muxer` and their `writeBufferLength`',
    )
    this.#raw = maConn
    this.#encrypted = muxer.maConn
    this.#socket = maConn.socket instanceof Socket ? maConn.socket : undefined
  }

  get sizeBytes(): number {
    return (
      this.#encrypted.writeBufferLength + this.#raw.writeBufferLength + (this.#socket?.writableLength ?? 0)
    )
  }
}
