import { once } from 'node:events'
import { AgentError } from './errors.ts'

/** A service that does not stop is left behind after this. */
const STOP_MS_MAX = 10_000

/** A part of the gateway that runs. Its constructor only keeps things; `stop` is called only after `start` resolved. */
export interface Service {
  readonly name: string
  /** Rejects where it cannot run, having released what it had taken. The signal ends the start early. */
  start(signal: AbortSignal): Promise<void>
  stop(): Promise<void>
}

export interface ServicesOptions {
  /** All services are up. */
  readonly onUp?: () => void
  /** A service failed to stop or took too long; the others are stopped all the same. */
  readonly onStopFault: (service: string, error: unknown) => void
  readonly stopMsMax?: number
}

/**
 * Starts the services in order, waits for the signal, and stops them in reverse; where a start fails or the signal
 * comes meanwhile, those that were up are stopped too. Rejects with the start's error.
 */
export async function runServices(
  services: readonly Service[],
  signal: AbortSignal,
  { onUp, onStopFault, stopMsMax = STOP_MS_MAX }: ServicesOptions,
): Promise<void> {
  const up: Service[] = []
  try {
    for (const service of services) {
      if (signal.aborted) return
      await service.start(signal)
      up.push(service)
    }
    onUp?.()
    if (!signal.aborted) await once(signal, 'abort')
  } catch (error) {
    // A start that gave up because it was told to is no fault.
    if (!signal.aborted || error !== signal.reason) throw error
  } finally {
    for (const service of up.reverse()) {
      await stopWithin(service, stopMsMax).catch((error: unknown) => {
        onStopFault(service.name, error)
      })
    }
  }
}

async function stopWithin(service: Service, ms: number): Promise<void> {
  const waiting = new AbortController()
  const late = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new AgentError('INTERNAL', `${service.name} did not stop within ${ms} ms`))
    }, ms)
    waiting.signal.addEventListener('abort', () => {
      clearTimeout(timer)
    })
  })
  try {
    await Promise.race([service.stop(), late])
  } finally {
    waiting.abort()
  }
}
