/**
 * Endpoints in the messages of our protocols: an IP address as its 4 or 16 bytes, and a port.
 *
 * Why bytes: there is one way to write them, where text has many for each IPv6 address.
 */
import ipaddr from 'ipaddr.js'
import { type Endpoint, endpointFrom, parseEndpoint } from '../core/endpoint.ts'
import { bytes, uint } from '../core/wire.ts'

/** The fields 1 and 2 of every message that holds an endpoint. */
export const ENDPOINT_FIELDS = {
  ip: bytes(1, { minBytes: 4, maxBytes: 16 }),
  /** 0 is no port; it is for the reader of the message to say what follows from that. */
  port: uint(2, { max: 65_535 }),
}

/** @param endpoint canonical; anything else is a mistake of ours */
export function fieldsOf(endpoint: Endpoint): { ip: Uint8Array; port: number } {
  const parsed = parseEndpoint(endpoint)
  if (parsed === undefined) throw new TypeError(`not an endpoint: ${endpoint}`)
  return { ip: Uint8Array.from(ipaddr.parse(parsed.ip).toByteArray()), port: parsed.port }
}

/** The canonical endpoint; undefined for an IP address of another length than 4 or 16 bytes, and for port 0. */
export function endpointIn({ ip, port }: { ip: Uint8Array; port: number }): Endpoint | undefined {
  if (ip.byteLength !== 4 && ip.byteLength !== 16) return undefined
  return endpointFrom(ipaddr.fromByteArray([...ip]).toString(), port)
}
