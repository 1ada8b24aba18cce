import { readSync } from 'node:fs'
import { DarwinBinding, LinuxBinding } from '@serialport/bindings-cpp'

/** What a port's options may be on both systems. */
export type PortOptions = Parameters<typeof LinuxBinding.open>[0]
type BasePort = Awaited<ReturnType<typeof LinuxBinding.open>>

/** The read returned because the port is closed here, not because the line is gone. */
interface PortError extends NodeJS.ErrnoException {
  canceled?: boolean
  disconnect?: boolean
}

const AGAIN = new Set(['EAGAIN', 'EWOULDBLOCK', 'EINTR'])
/** What the kernel says of a device that has been pulled out. */
const GONE = new Set(['EBADF', 'ENXIO', 'EIO', 'ENODEV', 'UNKNOWN'])

/**
 * Reads what has arrived, without waiting, and returns how many bytes; 0 = nothing now.
 *
 * `@serialport/bindings-cpp` takes a read of 0 bytes for "try again" and EIO for an ordinary error: after a hang-up in
 * mid-traffic it then recurses for ever with the port still said to be open. Here both mean that the line is gone.
 * The read is synchronous: the descriptor is non-blocking, and a detour through the thread pool would let bytes that
 * came before a request be seen after it.
 * @throws an error with `disconnect` set where the line is gone, with `canceled` set where the port has been closed.
 */
export function readArrived(port: BasePort, buffer: Buffer, offset: number, length: number): number {
  if (port.fd === null) throw portError('the port is closed', { canceled: true })
  try {
    const count = readSync(port.fd, buffer, offset, length, null)
    if (count > 0) return count
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (AGAIN.has(code ?? '')) return 0
    throw portError(message, GONE.has(code ?? '') ? { disconnect: true } : {})
  }
  throw portError('the line hung up', { disconnect: true })
}

/**
 * A port of `@serialport/bindings-cpp` whose hang-up is seen and told at once, before the close that follows (which
 * may wait for a driver). get, set and brk are used by nobody here: pseudo terminals and some adapters refuse them.
 */
export async function openPort(options: PortOptions, onGone: (cause: string) => void): Promise<BasePort> {
  const system = process.platform === 'darwin' ? DarwinBinding : LinuxBinding
  const port = (await system.open(options)) as BasePort
  port.read = async (buffer, offset, length) => {
    try {
      for (;;) {
        if (!port.isOpen) throw portError('the port is closed', { canceled: true })
        await readable(port)
        const bytesRead = readArrived(port, buffer, offset, length)
        if (bytesRead > 0) return { buffer, bytesRead }
      }
    } catch (error) {
      const { canceled, message } = error as PortError
      if (canceled !== true) onGone(message)
      throw error
    }
  }
  return port
}

const readable = (port: BasePort): Promise<void> =>
  new Promise((resolve, reject) => {
    port.poller.once('readable', (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })

const portError = (message: string, marks: { canceled?: boolean; disconnect?: boolean }): PortError =>
  Object.assign(new Error(message), marks)
