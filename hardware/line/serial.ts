import { once } from 'node:events'
import { SerialPortStream } from '@serialport/stream'
import type { Format } from '../config.ts'
import { type PortOptions, openPort, readArrived } from './binding.ts'
import type { Transport, TransportListener } from './transport.ts'

const PARITY = { N: 'none', E: 'even', O: 'odd' } as const
/** One read of what has arrived before a request. */
const SETTLE_BYTES = 4096
/** A talker that never ends must not hold the purge for ever. */
const SETTLE_ROUNDS_MAX = 16

type Port = Awaited<ReturnType<typeof openPort>>

/** A serial device by its path, locked against a second program. */
export async function openSerial(
  { path, baud, format }: { path: string; baud: number; format: Format },
  listener: TransportListener,
): Promise<Transport> {
  const options: PortOptions = {
    path,
    baudRate: baud,
    dataBits: format.startsWith('7') ? 7 : 8,
    parity: PARITY[format.charAt(1) as keyof typeof PARITY],
    stopBits: format.endsWith('2') ? 2 : 1,
    // Dropping DTR on close resets some devices.
    hupcl: false,
    lock: true,
    vmin: 1,
    vtime: 0,
  }
  const opened: { port?: Port; onGone: (cause: string) => void } = { onGone: () => undefined }
  const binding = {
    list: () => Promise.resolve([]),
    open: async (given: PortOptions) => {
      opened.port = await openPort(given, (cause) => {
        opened.onGone(cause)
      })
      return opened.port
    },
  }
  const stream = new SerialPortStream({ ...options, binding, autoOpen: false })
  await new Promise<void>((resolve, reject) => {
    stream.open((error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
  if (opened.port === undefined) throw new Error('the port did not open')
  const transport = new SerialTransport(stream, opened.port, listener)
  opened.onGone = (cause) => {
    transport.lose(cause)
  }
  return transport
}

class SerialTransport implements Transport {
  readonly #stream: SerialPortStream
  readonly #port: Port
  readonly #listener: TransportListener
  readonly #arrived = Buffer.allocUnsafe(SETTLE_BYTES)
  #live = true

  constructor(stream: SerialPortStream, port: Port, listener: TransportListener) {
    this.#stream = stream
    this.#port = port
    this.#listener = listener
    stream.on('data', (bytes: Buffer) => {
      if (this.#live) listener.onBytes(bytes)
    })
    // A pulled plug gives 'close' once or twice, a failed write 'error' as well: the first one counts.
    stream.on('close', (error: Error | null | undefined) => {
      this.lose(error?.message ?? 'the port was closed')
    })
    stream.on('error', (error) => {
      this.lose(error.message)
    })
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error === null || error === undefined) resolve()
        else reject(error)
      })
    })
  }

  settle(): Promise<void> {
    for (let round = 0; this.#live && round < SETTLE_ROUNDS_MAX; round += 1) {
      const count = this.#readArrived()
      if (count === 0) break
      this.#listener.onBytes(Uint8Array.from(this.#arrived.subarray(0, count)))
    }
    return Promise.resolve()
  }

  async close(): Promise<void> {
    this.#live = false
    // A close that fails leaves nothing to be done: the descriptor is gone either way.
    if (this.#stream.closing) await once(this.#stream, 'close').catch(() => undefined)
    // By the port, not the stream: a stream that an error has destroyed no longer closes what it holds.
    else if (this.#port.isOpen) await this.#port.close().catch(() => undefined)
    this.#stream.destroy()
  }

  /** Tells the loss, the first time. */
  lose(cause: string): void {
    if (!this.#live) return
    this.#live = false
    this.#listener.onLost(cause)
  }

  #readArrived(): number {
    try {
      return readArrived(this.#port, this.#arrived, 0, SETTLE_BYTES)
    } catch (error) {
      this.lose(error instanceof Error ? error.message : String(error))
      return 0
    }
  }
}
