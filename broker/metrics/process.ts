import type { Metrics } from './metrics.ts'

/** What the whole process takes, under the names that Prometheus has for it. */
export function addProcessMetrics(metrics: Metrics): void {
  metrics.read('gauge', 'process_resident_memory_bytes', 'Memory of the process that is in RAM.', () =>
    process.memoryUsage.rss(),
  )
  metrics.read('counter', 'process_cpu_seconds_total', 'Processor time that the process has used.', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000_000
  })
}
