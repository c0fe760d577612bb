/** draft */
import type { Socket } from 'node:net'
import type { Listener, MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import { type TCPComponents, type TCPOptions, tcp } from '@libp2p/tcp'
import type { Uint8ArrayList } from 'uint8arraylist'

export interface Traffic {
  sentBytes: number
  receivedBytes: number
}

const FLUSH_AT_BYTES = 65_536

interface SocketConnection extends MultiaddrConnection {
  socket: Socket
  sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean }
}

const later = process.env.CORK === 'immediate' ? setImmediate : process.nextTick

function attach(connection: MultiaddrConnection, traffic: Traffic): void {
  const maConn = connection as SocketConnection
  const { socket } = maConn
  const send = maConn.sendData
  let corked = false
  const flush = (): void => {
    if (corked) {
      corked = false
      socket.uncork()
    }
  }
  maConn.sendData = data => {
    if (!corked) {
      corked = true
      socket.cork()
      later(flush)
    }
    const result = send.call(maConn, data)
    traffic.sentBytes += result.sentBytes
    if (!result.canSendMore || socket.writableLength >= FLUSH_AT_BYTES) flush()
    return result
  }
  socket.on('data', chunk => {
    traffic.receivedBytes += chunk.length
  })
}

function hooked(upgrader: Upgrader, traffic: Traffic): Upgrader {
  const own = Object.create(upgrader) as Upgrader
  own.upgradeInbound = (c: MultiaddrConnection, o: any) => {
    attach(c, traffic)
    return upgrader.upgradeInbound(c, o)
  }
  own.upgradeOutbound = (c: MultiaddrConnection, o: any) => {
    attach(c, traffic)
    return upgrader.upgradeOutbound(c, o)
  }
  return own
}

export function corkedTcp(
  traffic: Traffic,
  options: TCPOptions = {},
): (components: TCPComponents) => Transport {
  return components => {
    const inner = tcp(options)(components)
    const dial = inner.dial.bind(inner)
    const listen = inner.createListener.bind(inner)
    inner.dial = (ma, o) => dial(ma, { ...o, upgrader: hooked(o.upgrader, traffic) })
    inner.createListener = (o): Listener => listen({ ...o, upgrader: hooked(o.upgrader, traffic) })
    return inner
  }
}
