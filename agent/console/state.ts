/** What the gateway tells about who may do what; docs/cli-json.md has the contract. */
export interface MemberFacts {
  readonly organisation: string
  readonly name: string
  readonly role: string
  readonly state: string
}

export interface ShareFacts {
  readonly id: string
  /** `gateway`, a device, `device/sensor`, `workspace:ID`, `item:ID`. */
  readonly thing: string
  /** `acme`, `acme:ana`, `acme:@team`. */
  readonly to: string
  readonly level: string
  /** `acme:ana`; only the organisation where it is neither the owner's nor the asker's. */
  readonly by: string | null
  readonly legacy: boolean
  /** Policy time, epoch ms. */
  readonly expiresAt: number | null
}

export interface WhoFacts {
  readonly organisation: string
  /** null = somebody of that organisation, who is not named to outsiders. */
  readonly name: string | null
  readonly via: readonly string[]
}

export interface WhyFacts {
  readonly organisation: string
  readonly name: string
  readonly allowed: boolean
  readonly because: string | null
  readonly via: readonly string[]
  /** Version of the policy that was asked. */
  readonly policy: number
  /** Every way that was looked at and what stands against it; empty for who may not audit. */
  readonly paths: readonly { readonly via: string; readonly against: string | null }[]
}

/** A change that was made here and is in force. */
export interface ChangeFacts {
  readonly change: string
  /** Counts the changes of this gateway. */
  readonly number: number
  readonly by: string
  /** Policy time, epoch ms; null = it does not end by itself. */
  readonly expiresAt: number | null
}
