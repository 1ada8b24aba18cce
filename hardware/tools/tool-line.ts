import type { Clock } from '../clock.ts'
import type { Format, LinePort } from '../config.ts'
import { HardwareError } from '../errors.ts'
import type { Line } from '../line/line.ts'
import { openLine } from '../line/open-line.ts'

/** The port that a tool works on, and how it is to be set. */
export interface ToolPort {
  readonly port: LinePort
  /** Bits a second. */
  readonly baud: number
  readonly format: Format
}

/**
 * Opens a line for a tool, without trying again.
 * @throws HardwareError LINE_UNAVAILABLE where it cannot be opened, e.g. while the gateway holds it.
 */
export async function openToolLine(
  where: ToolPort,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<Line> {
  const line = openLine({ id: 'tool', ...where }, { clock })
  const told: string[] = []
  line.onState((_, cause) => {
    if (cause !== null) told.push(cause)
  })
  await line.start(signal)
  if (line.state === 'open') return line
  await line.stop()
  throw new HardwareError(
    'LINE_UNAVAILABLE',
    `${portText(where.port)} cannot be opened: ${told[0] ?? 'it was stopped'}`,
  )
}

function portText(port: LinePort): string {
  switch (port.kind) {
    case 'path':
      return port.path
    case 'usb':
      return `the adapter ${port.vendor}:${port.product}`
    case 'tcp':
      return `${port.host}:${port.port}`
  }
}
