/**
 * A process of its own: a paced wire with one device that answers function 3 after t3.5 + `thinkMs`.
 * Forked with {baud, format, thinkMs, pty}; sends {port}, then {stats} for each message; ends when its parent goes.
 */
import { systemClock } from '../../hardware/clock.ts'
import type { Format, LinePort } from '../../hardware/config.ts'
import { exposePty, exposeTcp } from '../../hardware/sim/expose.ts'
import { type WireStats, createWire } from '../../hardware/sim/wire.ts'
import { joinDevice } from './answering-device.ts'

export interface SlaveOptions {
  readonly baud: number
  readonly format: Format
  readonly thinkMs: number
  /** Path of the pseudo terminal; null = TCP. */
  readonly pty: string | null
}
export type SlaveMessage = { readonly port: LinePort } | { readonly stats: WireStats }

async function serve({ baud, format, thinkMs, pty }: SlaveOptions): Promise<void> {
  const wire = createWire({ baud, format, clock: systemClock, random: Math.random })
  joinDevice(wire, thinkMs)
  const end = pty === null ? await exposeTcp(wire) : await exposePty(wire, pty)
  process.on('message', () => process.send?.({ stats: wire.stats() } satisfies SlaveMessage))
  process.on('disconnect', () => {
    void end.close().finally(() => process.exit(0))
  })
  process.send?.({ port: end.port } satisfies SlaveMessage)
}

await serve(JSON.parse(process.argv[2] ?? '') as SlaveOptions)
