import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../hardware/clock.ts'
import type { LinePort } from '../../../hardware/config.ts'
import type { Line, LineState } from '../../../hardware/line/line.ts'
import { openLine } from '../../../hardware/line/open-line.ts'
import { type MasterEnd, exposePty, exposeTcp } from '../../../hardware/sim/expose.ts'
import { type Wire, createWire } from '../../../hardware/sim/wire.ts'
import { joinDevice } from '../../support/answering-device.ts'
import { testWith } from '../../support/peers.ts'
import { heldValue, matchRead, readRequest, valuesOf } from '../../support/rtu.ts'

const BAUD = 57_600
const folder = mkdtempSync(join(tmpdir(), 'headgate-ports-'))
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})
const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

/** A wire with device 7, which answers reads of one register. */
function wireWithDevice(): Wire {
  const wire = createWire({ baud: BAUD, format: '8E1', clock: systemClock, random: Math.random })
  joinDevice(wire, 1)
  undo.push(() => {
    wire.close()
  })
  return wire
}

async function lineAt(port: LinePort, id = 'port1'): Promise<Line> {
  const line = openLine({ id, port, baud: BAUD, format: '8E1' }, { clock: systemClock })
  undo.push(() => line.stop())
  await line.start(new AbortController().signal)
  return line
}

async function read(line: Line, register: number): Promise<number | string> {
  const tx = readRequest(7, register, 1)
  const reply = await line.exchange({ tx, match: matchRead(7, 1), timeoutMs: 1000, gapMs: 0, lateMs: 50 })
  return reply.ok ? (valuesOf(reply.frame)[0] ?? 'empty') : reply.reason
}

function entered(line: Line, wanted: LineState): Promise<string | null> {
  return new Promise((resolve) => {
    const stop = line.onState((state, cause) => {
      if (state !== wanted) return
      stop()
      resolve(cause)
    })
  })
}

async function survivesUnplug(end: MasterEnd): Promise<void> {
  const line = await lineAt(end.port)
  expect(await read(line, 4)).toBe(heldValue(7, 4))
  const lost = entered(line, 'lost')
  const underWay = read(line, 5)
  await end.unplug()
  await lost
  expect(await underWay).toBe('line-lost')
  expect(await read(line, 6)).toBe('line-lost')
  await entered(line, 'backoff')
  const back = entered(line, 'open')
  await end.replug()
  await back
  expect(await read(line, 8)).toBe(heldValue(7, 8))
  expect(line.stats()).toMatchObject({ reopens: 1, gapViolations: 0 })
}

describe('a serial device server', () => {
  test('is polled over TCP and found again after it was gone', async () => {
    const end = await exposeTcp(wireWithDevice())
    undo.push(() => end.close())
    await survivesUnplug(end)
  })
})

test('requests and broadcasts, asked for at once, keep their silence on the wire', async () => {
  const wire = wireWithDevice()
  const end = await exposeTcp(wire)
  undo.push(() => end.close())
  const line = await lineAt(end.port)
  const asked = Array.from({ length: 30 }, async (_, index) => {
    if (index % 3 !== 0) return read(line, index)
    const { ok } = await line.send(readRequest(0, index, 1), 25)
    return ok ? heldValue(7, index) : 'not sent'
  })
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 30 }, (_, index) => heldValue(7, index)))
  expect(wire.stats()).toMatchObject({ masterFrames: 30, shortGaps: 0, collisions: 0 })
})

describe('a serial port', () => {
  const exposed = async (name: string): Promise<MasterEnd> => {
    const end = await exposePty(wireWithDevice(), join(folder, name))
    undo.push(() => end.close())
    return end
  }

  testWith('socat')('is polled and found again after it was unplugged', async () => {
    await survivesUnplug(await exposed('unplugged'))
  })

  testWith('socat')('runs at the speed that was asked for', async () => {
    const end = await exposed('speed')
    await lineAt(end.port)
    const settings = execFileSync('stty', ['-F', join(folder, 'speed'), '-a']).toString()
    expect(settings).toContain(`speed ${BAUD} baud`)
    expect(settings).toContain('-hupcl')
  })

  testWith('socat')('is waited for where another holds its lock', async () => {
    const end = await exposed('locked')
    const holder = await lineAt(end.port, 'holder')
    const line = await lineAt(end.port)
    expect([holder.state, line.state]).toEqual(['open', 'backoff'])
    expect(await read(line, 1)).toBe('line-lost')
    const open = entered(line, 'open')
    await holder.stop()
    await open
    expect(await read(line, 2)).toBe(heldValue(7, 2))
  })

  test('that does not exist is no error of start, and is tried again', async () => {
    const line = await lineAt({ kind: 'path', path: join(folder, 'nothing') })
    expect(line.state).toBe('backoff')
    expect(await read(line, 1)).toBe('line-lost')
  })
})
