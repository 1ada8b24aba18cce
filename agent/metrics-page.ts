import { type Broker, serveMetrics } from '../broker/index.ts'
import type { Log } from './log.ts'
import type { LocalPrincipal } from './policy/local-policy.ts'
import type { Service } from './services.ts'

/** The broker's figures on `HOST:PORT` for as long as the gateway runs; readings do not depend on whether that works. */
export function metricsPage(
  listen: string,
  { broker, log }: { readonly broker: Broker<LocalPrincipal>; readonly log: Log },
): Service {
  let stop = (): Promise<void> => Promise.resolve()
  return {
    name: 'metrics',
    start: async () => {
      try {
        const page = await serveMetrics(listen, () => broker.metrics())
        stop = () => page.stop()
      } catch (error) {
        log.error({ err: error }, 'the metrics are not served; all else goes on')
      }
    },
    stop: () => stop(),
  }
}
