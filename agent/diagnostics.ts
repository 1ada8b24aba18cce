import type { PolicySnapshot } from '../cloud-sync/contract/index.ts'

/**
 * Devices that tell of the gateway itself, which nobody is billed for: those that the configuration calls so and the signed
 * policy in force approves. Whoever writes the configuration is whoever would pay, so it decides nothing alone; and what
 * the configuration calls otherwise later is billed at once, whatever was approved.
 */
export function diagnosticDevices(
  configured: readonly { readonly id: string; readonly diagnostic: boolean }[],
  current: () => Pick<PolicySnapshot, 'devices'> | null,
): (device: string) => boolean {
  const named = new Set(configured.flatMap(({ id, diagnostic }) => (diagnostic ? [id] : [])))
  let known: { readonly of: unknown; readonly approved: ReadonlySet<string> } | undefined
  return (device) => {
    if (!named.has(device)) return false
    const of = current()
    if (known?.of !== of) {
      const approved = of?.devices.flatMap(({ id, diagnostic }) => (diagnostic === true ? [id] : []))
      known = { of, approved: new Set<string>(approved) }
    }
    return known.approved.has(device)
  }
}
