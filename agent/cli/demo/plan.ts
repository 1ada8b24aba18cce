/** What the demo does to its own parts, and when. */
export type Fault =
  | { readonly kind: 'unplug'; readonly ms: number }
  | { readonly kind: 'dead-device'; readonly device: string; readonly ms: number }
  | { readonly kind: 'link-cut'; readonly ms: number }
  | { readonly kind: 'kill-gateway' }
  | { readonly kind: 'kill-hardware' }
  | { readonly kind: 'kill-cloud' }
  | { readonly kind: 'revoke-share' }

export interface PlannedFault {
  /** After the first reading, ms. */
  readonly atMs: number
  readonly fault: Fault
  /** One line for the person who watches. */
  readonly says: string
}

/** The faults of a demo of this length, in order. Below 10 s there is no time for any. */
export function planFaults(seconds: number, device: string): PlannedFault[] {
  if (seconds < 10) return []
  const at = (share: number): number => Math.round(seconds * 1000 * share)
  const lasting = (share: number, most: number): number => Math.min(most, at(share))
  return [
    { atMs: at(0.15), fault: { kind: 'link-cut', ms: lasting(0.15, 15_000) }, says: 'link to the cloud cut' },
    { atMs: at(0.25), fault: { kind: 'unplug', ms: lasting(0.05, 3000) }, says: 'serial adapter unplugged' },
    {
      atMs: at(0.4),
      fault: { kind: 'dead-device', device, ms: lasting(0.15, 12_000) },
      says: `device ${device} without power`,
    },
    { atMs: at(0.5), fault: { kind: 'kill-gateway' }, says: 'kill -9 of the gateway' },
    { atMs: at(0.62), fault: { kind: 'revoke-share' }, says: 'share between the organisations revoked' },
    { atMs: at(0.7), fault: { kind: 'kill-cloud' }, says: 'kill -9 of the cloud' },
    { atMs: at(0.82), fault: { kind: 'kill-hardware' }, says: 'kill -9 of the hardware process' },
  ]
}
