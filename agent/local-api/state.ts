/** What the running gateway tells about itself on its local socket. A stable contract: docs/cli-json.md. */
export interface GatewayState {
  readonly gateway: string
  readonly version: string
  readonly bootId: string
  /** Seconds since the gateway process started. */
  readonly upSeconds: number
  readonly clock: { readonly state: string; readonly wall: string }
  readonly policy: {
    readonly version: number
    readonly local: boolean
    /** Policies refused since the start, by reason. */
    readonly refused: Readonly<Record<string, number>>
  }
  readonly lines: readonly LineFacts[]
  readonly devices: readonly DeviceFacts[]
  readonly refused: readonly {
    readonly what: string
    readonly id: string
    readonly code: string
    readonly message: string
  }[]
  readonly quotas: readonly QuotaState[]
  readonly store: Readonly<Record<string, number | string>>
  readonly link: Readonly<Record<string, number | string | boolean | null>> | null
  readonly streams: Readonly<Record<string, { epoch: string; next: number; acked: number }>>
  readonly broker: Readonly<Record<string, number>>
  readonly hardware: Readonly<Record<string, number | null>>
}

/** What `headgate policy show` prints; times in epoch ms. */
export interface PolicyFacts {
  /** In force; 0 = none, nobody may read. */
  readonly version: number
  readonly generation: number | null
  readonly organisation: string | null
  readonly ownerEpoch: number | null
  readonly issuedAt: number | null
  readonly freshUntil: number | null
  readonly hardUntil: number | null
  readonly freshness: 'fresh' | 'stale' | 'expired' | 'none'
  readonly policyTime: number
  /** The cloud has signed a time since this boot. */
  readonly signed: boolean
  /** The newest ever in force here. */
  readonly newest: { readonly generation: number; readonly version: number } | null
  /** Policies refused since the start, by reason. */
  readonly refused: Readonly<Record<string, number>>
}

export interface LineFacts {
  readonly id: string
  readonly state: string
  /** 0 to 1. */
  readonly utilisation: number
}

export interface DeviceFacts {
  readonly id: string
  readonly organisation: string
  readonly health: string
  readonly reason: string | null
}

/** A workspace's share of a limit on this gateway. */
export interface QuotaState {
  readonly workspace: string
  readonly organisation: string | null
  readonly meter: string
  readonly period: 'month'
  readonly limit: number
  /** A decimal string; null where the organisation is billed from outside (S0.35). */
  readonly used: string | null
  /** What it has more waits. */
  readonly over: boolean
}

export interface SensorFacts {
  readonly device: string
  readonly sensor: string
  readonly organisation: string
  readonly channels: readonly {
    readonly channel: string
    readonly unit: string
    readonly value: number | string | null
    readonly quality: string
    readonly reason: string | null
    readonly takenAt: string
  }[]
}

export interface UsageFacts {
  readonly organisation: string
  readonly subject: string
  readonly meter: string
  readonly generation: number
  /** Register, a decimal string: it may pass 2^53. */
  readonly end: string
  readonly billable: boolean
}

/** One stored reading as the local socket gives it, a line of JSON each. */
export interface ReadingFacts {
  readonly device: string
  readonly sensor: string
  readonly channel: string
  readonly takenAt: number
  /** An integer beyond 2^53 is a decimal string. */
  readonly value: number | string | null
  readonly quality: string
  readonly reason: string | null
  readonly derived: boolean
  readonly organisation: string
}

/** What the local socket needs from the gateway. */
export interface GatewayFacts {
  status(): GatewayState
  sensors(): readonly SensorFacts[]
  usage(): readonly UsageFacts[]
  readings(query: {
    device: string | null
    channel: string | null
    from: number
    to: number
  }): Iterable<ReadingFacts>
}
