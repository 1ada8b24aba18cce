import type { LineConfig } from '../../hardware/config.ts'
import type { Exchange, Line, Reply } from '../../hardware/line/line.ts'
import type { LineDeps } from '../../hardware/line/open-line.ts'
import { openTransport } from '../../hardware/line/open-transport.ts'
import { TurnQueue } from '../../hardware/line/queue.ts'
import type { Transport } from '../../hardware/line/transport.ts'

/**
 * A line as it should not be, to show that a check can fail: it asks in turn and checks every CRC, but it neither
 * purges what came before a request nor leaves the line quiet after a time-out.
 */
export function openNaiveLine(
  config: LineConfig,
  { clock }: LineDeps,
): Pick<Line, 'start' | 'exchange' | 'stats' | 'stop'> {
  const queue = new TurnQueue()
  let transport: Transport | null = null
  let rx: number[] = []
  let look: () => void = () => undefined
  const ask = ({ tx, match, timeoutMs }: Exchange): Promise<Reply> =>
    new Promise((resolve) => {
      const sentAt = clock.wall()
      const cancel = clock.after(timeoutMs, () => {
        look = () => undefined
        resolve({ ok: false, reason: 'timeout', sentAt, strayBytes: 0 })
      })
      look = () => {
        const found = match(Uint8Array.from(rx))
        if (!('frame' in found)) return
        look = () => undefined
        cancel()
        const frame = Uint8Array.from(rx.slice(...found.frame))
        rx = rx.slice(found.frame[1])
        resolve({ ok: true, frame, sentAt, tookMs: 0, strayBytes: 0 })
      }
      void transport?.write(tx)
    })
  return {
    start: async () => {
      transport = await openTransport(config, {
        onBytes: (bytes) => {
          rx.push(...bytes)
          look()
        },
        onLost: () => undefined,
      })
    },
    exchange: (exchange) => queue.use(() => ask(exchange)),
    stats: () => ({
      exchanges: 0,
      timeouts: 0,
      crcErrors: 0,
      strayBytes: 0,
      lateReplies: 0,
      gapViolations: 0,
      reopens: 0,
      utilisation: 0,
    }),
    stop: async () => transport?.close(),
  }
}
