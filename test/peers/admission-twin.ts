/** The naive twin of `Admission`: a list of the sockets that are let in, counted anew for each question. */
import { ruledGroup } from '../../src/core/endpoint.ts'
import type { AdmissionOptions } from '../../src/peers/admission.ts'

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

  accept(socket: number, ip: string): 'ip-limit' | 'group-limit' | undefined {
    const { pendingPerIp, connectionsPerIp, connectionsPerGroup, groupRules } = this.#options
    const group = ruledGroup(ip, groupRules)
    if (group === undefined) return undefined
    const ofIp = this.#sockets.filter(other => networkOf(other.ip) === networkOf(ip))
    const ofGroup = this.#sockets.filter(other => ruledGroup(other.ip, groupRules) === group)
    const isOver =
      ofIp.length >= connectionsPerIp || ofIp.filter(other => !other.isOpen).length >= pendingPerIp
    if (isOver) return 'ip-limit'
    if (ofGroup.length >= connectionsPerGroup) return 'group-limit'
    this.#sockets.push({ socket, ip, isOpen: false })
    return undefined
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
