import type { HardwareEvent } from '../hardware/index.ts'

export interface DeviceHealth {
  readonly state: string
  readonly reason: string | null
  /** Epoch ms of the last change; null where nothing was heard yet. */
  readonly since: number | null
}

export interface Refused {
  readonly what: 'line' | 'device'
  readonly id: string
  readonly code: string
  readonly message: string
}

/** What the hardware process last said of each line and device. Starts with all that is configured. */
export class FieldState {
  readonly devices = new Map<string, DeviceHealth>()
  readonly lines = new Map<string, DeviceHealth>()
  readonly refused = new Map<string, Refused>()
  /** Readings given up in the hardware process because nobody took them in time. */
  dropped = 0

  constructor(configured: { lines: readonly { id: string }[]; devices: readonly { id: string }[] }) {
    for (const { id } of configured.lines) this.lines.set(id, { state: 'new', reason: null, since: null })
    for (const { id } of configured.devices) this.devices.set(id, { state: 'new', reason: null, since: null })
  }

  /** Takes one event in; returns the device whose health it changed. */
  note(event: HardwareEvent): string | undefined {
    switch (event.kind) {
      case 'line':
        this.lines.set(event.line, { state: event.state, reason: event.cause, since: event.at })
        return undefined
      case 'device':
        this.devices.set(event.device, { state: event.state, reason: event.reason, since: event.at })
        return event.device
      case 'refused':
        this.refused.set(`${event.subject} ${event.id}`, {
          what: event.subject,
          id: event.id,
          code: event.code,
          message: `${event.sentence} ${event.hint}`,
        })
        return undefined
      case 'dropped':
        this.dropped += event.readings
        return undefined
      case 'process':
        // A new process says again what it refuses.
        if (event.state === 'started') this.refused.clear()
        return undefined
      case 'splits':
        return undefined
    }
  }
}
