/**
 * A program that does nothing but supervise a hardware process: configuration as JSON in the first argument, one JSON
 * line out for each batch of readings, event and second. Suites kill it, stall it, and lie to it about the time.
 */
import { type HardwareConfig, superviseHardware } from '../../hardware/index.ts'

const say = (line: object): void => {
  const text = JSON.stringify(line, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  process.stdout.write(`${text}\n`)
}
const hardware = superviseHardware({
  config: JSON.parse(process.argv[2] ?? '{}') as HardwareConfig,
  log: {
    info: () => undefined,
    warn: (fields, text) => {
      say({ warn: text, ...fields })
    },
  },
  onReadings: async (readings) => {
    say({ readings })
  },
  onEvent: (event) => {
    say({ event })
  },
})
const abort = new AbortController()
process.on('SIGTERM', () => {
  abort.abort()
  void hardware.stop().then(() => process.exit(0))
})
await hardware.start(abort.signal)
say({ pid: hardware.stats().pid })
setInterval(() => {
  say({ stats: hardware.stats() })
}, 1000)
