/**
 * A process of its own: one line, polled without a pause whenever it is open. Forked with {port, baud};
 * tells each loss and the first good reading after each opening, and its processor time when asked.
 */
import { systemClock } from '../../hardware/clock.ts'
import type { LinePort } from '../../hardware/config.ts'
import { openLine } from '../../hardware/line/open-line.ts'
import { heldValue, matchRead, readRequest, valuesOf } from './rtu.ts'

export interface LineMasterOptions {
  readonly port: LinePort
  readonly baud: number
}
/** `at` is CLOCK_MONOTONIC in milliseconds, the same in all processes of a machine. */
export type LineMasterMessage =
  | { readonly kind: 'lost' | 'good' | 'wrong'; readonly at: number }
  | { readonly kind: 'cpu'; readonly ms: number; readonly at: number }

const UNIT = 7

async function main({ port, baud }: LineMasterOptions): Promise<void> {
  const line = openLine({ id: 'line', port, baud, format: '8E1' }, { clock: systemClock })
  let isFirst = true
  let register = 0
  const tell = (message: LineMasterMessage): void => {
    if (process.connected) process.send?.(message)
  }
  const poll = async (): Promise<void> => {
    while (line.state === 'open') {
      register = (register + 1) % 1000
      const tx = readRequest(UNIT, register, 1)
      const reply = await line.exchange({
        tx,
        match: matchRead(UNIT, 1),
        timeoutMs: 200,
        gapMs: 0,
        lateMs: 100,
      })
      if (!reply.ok) continue
      if (valuesOf(reply.frame)[0] !== heldValue(UNIT, register)) tell({ kind: 'wrong', at: monotonicMs() })
      if (isFirst) tell({ kind: 'good', at: monotonicMs() })
      isFirst = false
    }
  }
  line.onState((state) => {
    if (state === 'lost') tell({ kind: 'lost', at: monotonicMs() })
    if (state !== 'open') return
    isFirst = true
    void poll()
  })
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    tell({ kind: 'cpu', ms: (user + system) / 1000, at: monotonicMs() })
  })
  process.on('disconnect', () => process.exit(0))
  await line.start(new AbortController().signal)
}

const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

await main(JSON.parse(process.argv[2] ?? '') as LineMasterOptions)
