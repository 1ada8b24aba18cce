import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { connect as dialTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import type { ListenerSpec } from '../../../broker/index.ts'
import { type Listener, openListener } from '../../../broker/listen/index.ts'
import type { Peer } from '../../../broker/listen/peer.ts'
import { until } from '../support.ts'

/** A listener that gives back what it gets. */
export interface Echo {
  readonly listener: Listener
  readonly port: number
  /** Whoever was handed over, in order. */
  readonly peers: Peer[]
  readonly streams: Duplex[]
  /** Reasons of refusals, in order. */
  readonly refused: string[]
  /** Lines of the log with their detail. */
  readonly log: { readonly level: string; readonly message: string; readonly detail: object }[]
}

/** Opens a listener that goes with the test. */
export async function echo(spec: ListenerSpec, connectionsMax = 1_000): Promise<Echo> {
  const found: Omit<Echo, 'listener' | 'port'> = { peers: [], streams: [], refused: [], log: [] }
  const line =
    (level: string) =>
    (detail: object, message: string): void => {
      found.log.push({ level, message, detail })
    }
  const log = { info: line('info'), warn: line('warn'), error: line('error') }
  const accept = (stream: Duplex, peer: Peer): void => {
    found.peers.push(peer)
    found.streams.push(stream)
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => stream.write(chunk))
    stream.on('end', () => stream.end())
  }
  const onRefused = (reason: string): void => void found.refused.push(reason)
  const listener = await openListener(spec, accept, { connectionsMax, log, onRefused })
  onTestFinished(() => {
    listener.close()
    for (const stream of found.streams) stream.destroy()
  })
  const port = Number(/:(\d+)(\/.*)?$/.exec(listener.address)?.[1] ?? 0)
  return { ...found, listener, port }
}

/** A folder that goes with the test. */
export function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-listen-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** A TCP connection to the listener that goes with the test; a reset is no fault. */
export async function plain(port: number): Promise<Socket> {
  const socket = dial({ port, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

/** A TLS connection that has come through its handshake. Rejects where it is refused, also after the handshake of TLS 1.3. */
export async function encrypted(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = dialTls({ port, host: '127.0.0.1', servername: 'localhost', ...options })
  onTestFinished(() => void socket.destroy())
  const failed = new Promise<never>((_resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => {
      reject(new Error('closed'))
    })
  })
  failed.catch(() => undefined)
  await Promise.race([once(socket, 'secureConnect'), failed])
  await Promise.race([answerTo(socket, 'hello'), failed])
  return socket
}

/** What the echo gives back for a text. */
export async function answerTo(stream: Duplex, text: string): Promise<string> {
  stream.write(text)
  let answer = ''
  while (answer.length < text.length) {
    const [chunk] = (await once(stream, 'data', { signal: AbortSignal.timeout(60_000) })) as [Buffer]
    answer += chunk.toString()
  }
  return answer
}

/** A WebSocket that is open. Rejects where the upgrade is refused. */
export async function webSocket(
  url: string,
  options: { readonly protocols?: string[]; readonly origin?: string; readonly ca?: Buffer } = {},
): Promise<WebSocket> {
  const { protocols = ['mqtt'], ...more } = options
  const socket = new WebSocket(url, protocols, more)
  onTestFinished(() => {
    socket.terminate()
  })
  await once(socket, 'open')
  socket.on('error', () => undefined)
  return socket
}

/** All that came until the other end closed. */
export async function untilClosed(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await until(() => socket.closed || socket.readableEnded, 60_000)
  return text
}
