import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type Server, type Socket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LinePort } from '../config.ts'
import { HardwareError } from '../errors.ts'
import { MASTER, type Wire } from './wire.ts'

/** Where a master finds the wire. */
export interface MasterEnd {
  /** For a line's configuration. */
  readonly port: LinePort
  /** Takes the adapter away: the master's port hangs up, as when a USB plug is pulled. */
  unplug(): Promise<void>
  /** Brings it back under the same name. */
  replug(): Promise<void>
  close(): Promise<void>
}

/** A master that does not read loses what is above this. */
const UNREAD_BYTES_MAX = 65_536
const PTY_READY_MS_MAX = 5_000
const PTY_LOOK_MS = 5

/**
 * Shows the wire's master end as a pseudo terminal at `linkPath`. Needs the program socat.
 * @throws HardwareError LINE_UNAVAILABLE where socat cannot be run.
 */
export async function exposePty(wire: Wire, linkPath: string): Promise<MasterEnd> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-wire-'))
  const socketPath = join(folder, 'wire.sock')
  const connector = connect(wire)
  connector.server.listen(socketPath)
  await once(connector.server, 'listening')
  let socat: ChildProcess | null = null
  const unplug = async (): Promise<void> => {
    const child = socat
    socat = null
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    // A killed socat leaves its link behind.
    rmSync(linkPath, { force: true })
  }
  const replug = async (): Promise<void> => {
    if (socat !== null) return
    rmSync(linkPath, { force: true })
    socat = await startSocat(linkPath, socketPath, connector)
  }
  const close = async (): Promise<void> => {
    await unplug()
    connector.leave()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await replug()
  } catch (error) {
    await close()
    throw error
  }
  return { port: { kind: 'path', path: linkPath }, unplug, replug, close }
}

/** Shows the wire's master end as a serial device server on TCP; works without socat. Port 0 = a free one. */
export async function exposeTcp(wire: Wire, host = '127.0.0.1', port = 0): Promise<MasterEnd> {
  const connector = connect(wire)
  const { server } = connector
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  return {
    port: { kind: 'tcp', host, port: taken },
    unplug: async () => {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      connector.drop()
      await closed
    },
    replug: async () => {
      if (server.listening) return
      server.listen(taken, host)
      await once(server, 'listening')
    },
    close: () => {
      connector.leave()
      return Promise.resolve()
    },
  }
}

interface Connector {
  readonly server: Server
  readonly connected: () => boolean
  drop(): void
  leave(): void
}

/** Joins the wire as its master, for whoever connects last. */
function connect(wire: Wire): Connector {
  const master = wire.join(MASTER)
  let current: Socket | null = null
  const drop = (): void => {
    current?.destroy()
    current = null
  }
  const server = createServer((socket) => {
    drop()
    current = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes) => {
      master.send(bytes)
    })
    socket.on('close', () => {
      if (current === socket) current = null
    })
    // A reset is a close; that event follows and does what is to be done.
    socket.on('error', () => socket.destroy())
  })
  master.onBytes((bytes) => {
    if (current !== null && current.writableLength < UNREAD_BYTES_MAX) current.write(bytes)
  })
  const leave = (): void => {
    master.leave()
    drop()
    if (server.listening) server.close()
  }
  return { server, connected: () => current !== null, drop, leave }
}

async function startSocat(linkPath: string, socketPath: string, connector: Connector): Promise<ChildProcess> {
  const child = spawn('socat', [`pty,raw,echo=0,link=${linkPath}`, `unix-connect:${socketPath}`], {
    stdio: 'ignore',
  })
  const failures: Error[] = []
  child.on('error', (error) => failures.push(error))
  const until = performance.now() + PTY_READY_MS_MAX
  while (!(existsSync(linkPath) && connector.connected())) {
    if (failures.length > 0 || child.exitCode !== null || performance.now() > until) {
      child.kill('SIGKILL')
      throw new HardwareError('LINE_UNAVAILABLE', `socat shows no port at ${linkPath}`, {
        cause: failures[0],
      })
    }
    await sleep(PTY_LOOK_MS)
  }
  return child
}
