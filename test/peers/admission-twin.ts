/** The naive twin of `Admission`: a list of the sockets that are let in, counted anew for each question. */
import { ruledGroup } from '../../src/core/endpoint.ts'
import type { AdmissionOptions, Admittance } from '../../src/peers/admission.ts'

interface Socket {
  readonly socket: number
  readonly ip: string
  isOpen: boolean
}

export class AdmissionTwin {
  readonly #options: AdmissionOptions
  #sockets: Socket[] = []

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#sockets.length
  }

  accept(socket: number, ip: string): Admittance | undefined {
    const refuse = this.#refusal(ip)
    if (refuse !== undefined) return { refuse }
    const evict = this.#victim()
    if (evict !== undefined) this.closed(evict)
    this.#sockets.push({ socket, ip, isOpen: false })
    return evict === undefined ? undefined : { evict }
  }

  #refusal(ip: string): 'ip-limit' | 'group-limit' | undefined {
    const { pendingPerIp, connectionsPerIp, connectionsPerGroup, groupRules } = this.#options
    const group = ruledGroup(ip, groupRules)
    if (group === undefined) return undefined
    const ofIp = this.#sockets.filter(other => networkOf(other.ip) === networkOf(ip))
    const ofGroup = this.#sockets.filter(other => ruledGroup(other.ip, groupRules) === group)
    const isOver =
      ofIp.length >= connectionsPerIp || ofIp.filter(other => !other.isOpen).length >= pendingPerIp
    if (isOver) return 'ip-limit'
    return ofGroup.length >= connectionsPerGroup ? 'group-limit' : undefined
  }

  /** Sorted by how many of their group are pending, and then by age; the sort keeps the order of equals. */
  #victim(): number | undefined {
    const { pendingMax, groupRules } = this.#options
    const pending = this.#sockets.filter(({ isOpen }) => !isOpen)
    if (pending.length < pendingMax) return undefined
    const groupOf = (ip: string): string => ruledGroup(ip, groupRules) ?? networkOf(ip)
    const crowd = (ip: string): number => pending.filter(other => groupOf(other.ip) === groupOf(ip)).length
    return pending.toSorted((a, b) => crowd(b.ip) - crowd(a.ip))[0]?.socket
  }

  opened(socket: number): void {
    for (const other of this.#sockets) if (other.socket === socket) other.isOpen = true
  }

  closed(socket: number): void {
    this.#sockets = this.#sockets.filter(other => other.socket !== socket)
  }
}

/** Good for the few addresses of the test: those of one /64 differ after `::`. */
function networkOf(ip: string): string {
  return ip.includes('::') ? ip.slice(0, ip.indexOf('::')) : ip
}
