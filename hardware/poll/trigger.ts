import type { Step } from '../protocol.ts'

/** How a poll begins: telegrams to all devices, and how long after them this device may be asked. */
export interface Trigger {
  readonly broadcasts: readonly Uint8Array[]
  readonly waitMs: number
  /** Equal where one broadcast serves both devices; null = this poll can share nothing. */
  readonly key: string | null
  /** What is left to do for this device alone. */
  readonly rest: readonly Step[]
}

/** Takes the broadcasts and waits before a plan's first exchange apart from the rest. */
export function triggerOf(steps: readonly Step[], profileKey: string): Trigger {
  const first = steps.findIndex((step) => step.kind === 'exchange')
  const head = steps.slice(0, first === -1 ? steps.length : first)
  const firstWait = head.findIndex((step) => step.kind === 'wait')
  const afterWait = firstWait === -1 ? [] : head.slice(firstWait)
  // Waits between broadcasts belong to the device's own rhythm: such a beginning is nobody else's.
  if (head.length === 0 || head[0]?.kind === 'wait' || afterWait.some((step) => step.kind !== 'wait')) {
    return { broadcasts: [], waitMs: 0, key: null, rest: steps }
  }
  const broadcasts = head.flatMap((step) => (step.kind === 'broadcast' ? [step.tx] : []))
  const waitMs = head.reduce((sum, step) => (step.kind === 'wait' ? sum + step.ms : sum), 0)
  const bytes = broadcasts.map((tx) => Buffer.from(tx).toString('hex')).join(' ')
  return { broadcasts, waitMs, key: `${profileKey} ${bytes}`, rest: steps.slice(head.length) }
}
