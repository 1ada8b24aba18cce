import type { LineConfig } from '../config.ts'

/** An open port: bytes out, bytes in, and the news of its loss. */
export interface Transport {
  /** Resolves when the operating system has the bytes; they may still be in its buffer. Rejects where the port is gone. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when everything that had arrived by now has been given to the listener. */
  settle(): Promise<void>
  /** Gives the port back. Nothing is told to the listener after this began. */
  close(): Promise<void>
}

export interface TransportListener {
  onBytes(bytes: Uint8Array): void
  /** Once, and not after `close`. */
  onLost(cause: string): void
}

/** Opens the port of a line; rejects with what the system says where it cannot. */
export type TransportOpener = (config: LineConfig, listener: TransportListener) => Promise<Transport>
