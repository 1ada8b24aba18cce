import type { TransportOpener } from './transport.ts'
import { findUsbTty, shortenLatency } from './usb.ts'

/** Opens whatever kind of port the configuration names. Looks a USB identity up anew each time. */
export const openTransport: TransportOpener = async (config, listener) => {
  const { port } = config
  if (port.kind === 'tcp') return (await import('./tcp.ts')).openTcp(port, listener)
  const path = port.kind === 'path' ? port.path : findUsbTty(port)
  if (path === null) throw new Error('no adapter of this USB identity is plugged in')
  shortenLatency(path)
  // Loaded when needed: a gateway with serial device servers only runs where the native module does not.
  const { openSerial } = await import('./serial.ts')
  return openSerial({ path, baud: config.baud, format: config.format }, listener)
}
