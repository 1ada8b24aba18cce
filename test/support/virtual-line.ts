import type { LineConfig } from '../../hardware/config.ts'
import type { Exchange, LineState } from '../../hardware/line/line.ts'
import { openLine } from '../../hardware/line/open-line.ts'
import { FakePort } from './fake-port.ts'
import { matchRead, readAnswer, readRequest, valuesOf } from './rtu.ts'
import { VirtualClock } from './virtual-clock.ts'

export const T35_MS = 38_500 / 9600
export const REQUEST_MS = (8 * 11_000) / 9600
export const TIMEOUT_MS = 200
export const LATE_MS = 300
/** After opening the line is left quiet for so long. */
export const OPEN_MS = 101

export const ask = (register: number, change: Partial<Exchange> = {}): Exchange => ({
  tx: readRequest(7, register, 1),
  match: matchRead(7, 1),
  timeoutMs: TIMEOUT_MS,
  gapMs: 0,
  lateMs: LATE_MS,
  ...change,
})
export const LINE_CONFIG: LineConfig = {
  id: 'port1',
  port: { kind: 'path', path: '/dev/none' },
  baud: 9600,
  format: '8E1',
}
const registerOf = (request: Uint8Array): number => (request[2] ?? 0) * 256 + (request[3] ?? 0)

/** An open line to a device that answers every read of one register with the register's number, after `thinkMs`. */
export async function lineTo(thinkMs: (register: number) => number | null) {
  const clock = new VirtualClock()
  const port = new FakePort(clock)
  port.onRequest = (request) => {
    const delayMs = thinkMs(registerOf(request))
    if (delayMs !== null) port.arrive(readAnswer(7, [registerOf(request)]), REQUEST_MS + delayMs)
  }
  const config = {
    id: 'port1',
    port: { kind: 'path', path: '/dev/none' },
    baud: 9600,
    format: '8E1',
  } as const
  const line = openLine(config, { clock, random: () => 0.5, open: port.open })
  const states: [LineState, string | null][] = []
  line.onState((state, cause) => states.push([state, cause]))
  await line.start(new AbortController().signal)
  await clock.advance(OPEN_MS)
  /** The value read, or the reason why none was. */
  const read = async (register: number, change?: Partial<Exchange>): Promise<number | string> => {
    const reply = await line.exchange(ask(register, change))
    return reply.ok ? (valuesOf(reply.frame)[0] ?? 'empty') : reply.reason
  }
  return { clock, port, line, states, read }
}
