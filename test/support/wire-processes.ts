import { execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { LinePort } from '../../hardware/config.ts'
import type { SlaveMessage, SlaveOptions } from './paced-slave.ts'
import { havePeer } from './peers.ts'

/** Of the wire, as it saw the master. */
export interface GapCounts {
  readonly masterFrames: number
  readonly shortGaps: number
  readonly shortestGapMs: number
}

/** A wire with one device that answers after t3.5 and a think time, in a process of its own. */
export interface WireProcess {
  readonly port: LinePort
  /** Ends it and tells what it counted. */
  stop(): Promise<GapCounts>
}

export type WireKind = 'product-pty' | 'product-tcp' | 'independent'

/** The kinds of wire that can be had on this machine. */
export function wireKinds(): WireKind[] {
  const socat = havePeer('socat')
  return [
    'product-tcp',
    ...(socat ? (['product-pty'] as const) : []),
    ...(haveCompiler() ? (['independent'] as const) : []),
  ]
}

export function startWire(kind: WireKind, baud: number, thinkMs: number): Promise<WireProcess> {
  return kind === 'independent' ? startIndependent(baud, thinkMs) : startProduct(kind, baud, thinkMs)
}

async function startProduct(kind: WireKind, baud: number, thinkMs: number): Promise<WireProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-slave-'))
  const options: SlaveOptions = {
    baud,
    format: '8E1',
    thinkMs,
    pty: kind === 'product-pty' ? join(folder, 'line') : null,
  }
  const child = fork(join(import.meta.dirname, 'paced-slave.ts'), [JSON.stringify(options)])
  const [started] = (await once(child, 'message')) as [SlaveMessage]
  if (!('port' in started)) throw new Error('the wire did not start')
  return {
    port: started.port,
    stop: async () => {
      child.send('stats')
      const [message] = (await once(child, 'message')) as [SlaveMessage]
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
      rmSync(folder, { recursive: true, force: true })
      if (!('stats' in message)) throw new Error('the wire told no counts')
      return message.stats
    },
  }
}

async function startIndependent(baud: number, thinkMs: number): Promise<WireProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-wire-'))
  const program = join(folder, 'paced-wire')
  const source = join(import.meta.dirname, '../fixtures/line/paced-wire.c')
  execFileSync('cc', ['-O2', '-o', program, source], { stdio: 'inherit' })
  const child = spawn(program, [`${baud}`, `${thinkMs * 1000}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const first = await lines.next()
  return {
    port: { kind: 'path', path: first.value as string },
    stop: async () => {
      child.stdin.end()
      const last = await lines.next()
      rmSync(folder, { recursive: true, force: true })
      return JSON.parse(last.value as string) as GapCounts
    },
  }
}

function haveCompiler(): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v cc'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
