import type { SigningKey } from '../../cloud-sync/codec/index.ts'
import type { GatewayId, PolicySnapshot } from '../../cloud-sync/contract/index.ts'
import type { ClaimGuard } from './guard.ts'
import type { ClaimState } from './machine.ts'
import type { Presence } from './presence.ts'

/** Where the state is kept: one transaction with the event that tells of it. */
export interface ClaimKeeper {
  read(): unknown
  write(
    state: unknown,
    told: {
      readonly event: { at: number; kind: string; detail: Record<string, string | number> } | null
      readonly newOwner: boolean
    },
  ): Promise<void>
}

/** The policy store, as far as claiming has to do with it. */
export interface PolicyInStore {
  /** Names what is in force; the same name = the same policy. */
  name(): string
  stored(): PolicySnapshot | null
  /** In force instead of what is stored; null = no longer. */
  overrule(snapshot: PolicySnapshot | null): void
  /** Called with each policy of the cloud that came and was kept. */
  onStored(listener: (snapshot: PolicySnapshot) => void): () => void
}

export interface ClaimOptions {
  readonly gateway: GatewayId
  /** `cloud.trust`. */
  readonly trust: string
  readonly key: SigningKey
  readonly keeper: ClaimKeeper
  readonly guard: ClaimGuard
  readonly policy: PolicyInStore
  readonly presence: Presence
  /** Trusted time, epoch ms; null where there is none. */
  readonly trustedMs: () => number | null
  readonly wallMs: () => number
  readonly monoMs: () => number
  readonly bootId: string
  /** Calls back after each hour of running. */
  readonly eachHour: (run: () => void) => () => void
  readonly random?: (bytes: number) => Uint8Array
  readonly log: { info(detail: object, text: string): void; warn(detail: object, text: string): void }
}

/** What the gateway tells of its claim to whoever asks on site. */
export interface ClaimFacts {
  readonly gateway: string
  readonly state: ClaimState['state']
  readonly organisation: string | null
  /** 32 raw bytes, base64. */
  readonly publicKey: string
  readonly lockedSeconds: number
  /** Of the last claim or release, base64: for the installer's phone to bring to the cloud. */
  readonly receipt: string | null
}
