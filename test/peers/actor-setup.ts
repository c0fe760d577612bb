/**
 * What the tests of the actors of peers share: a host whose listeners and pings the test decides, and connections.
 */
import type { ConnectionInfo, HostEvents } from '../../src/core/ports.ts'
import type { Address, PeerId } from '../../src/core/types.ts'
import { FakeHost } from '../fixtures/fakes.ts'

/** A ping that the test ends. */
export interface StagedPing {
  readonly target: Address
  readonly signal: AbortSignal | undefined
  answer(): void
  fail(): void
}

/** Where nobody listens to the host. */
const NOBODY: HostEvents = {
  connected: () => {},
  disconnected: () => {},
  identified: () => {},
  silent: () => {},
  offence: () => {},
}

export class StagedHost extends FakeHost {
  /** Where it listens. */
  listening: Address[] = []
  readonly pings: StagedPing[] = []

  /** @param events may be made after the host */
  constructor(events: () => HostEvents = () => NOBODY) {
    super(events)
  }

  override addresses(): Address[] {
    return [...this.listening]
  }

  override ping(target: Address = '', signal?: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.pings.push({ target, signal, answer: () => resolve(1), fail: () => reject(new Error('no answer')) })
    return promise
  }
}

/** A connection as a host tells of it; inbound from `60.1.0.1` where nothing else is said. */
export function connectionOf(peer: PeerId, differences: Partial<ConnectionInfo> = {}): ConnectionInfo {
  return {
    peer,
    address: '/ip4/60.1.0.1/tcp/1000',
    direction: 'inbound',
    openedAtMs: 0,
    rttMs: undefined,
    ...differences,
  }
}
