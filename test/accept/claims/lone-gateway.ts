import { mkdirSync } from 'node:fs'
import { ClaimGuard } from '../../../agent/claim/guard.ts'
import { NO_BUTTON } from '../../../agent/claim/presence.ts'
import { ClaimService } from '../../../agent/claim/service.ts'
import {
  openChallenge,
  sealBirth,
  sealSiteProof,
  sealTicket,
  type SigningKey,
} from '../../../cloud-sync/codec/index.ts'
import { ClaimNonce, ClaimTicket, GatewayId, type TicketId } from '../../../cloud-sync/contract/index.ts'
import { newKey, newNonce, testRoot, type TestRoot } from '../../support/claims.ts'

export const GATEWAY = GatewayId.parse('GW-1')

/** What outlives a power cut, and who there is. */
interface Kept {
  readonly folder: string
  readonly root: TestRoot
  readonly label: SigningKey
  readonly identity: SigningKey
  claim: unknown
}

/** Called before and after each thing that is written; where it throws, the power is gone. */
type Step = () => void

/** The claim of one gateway without the rest of it: real keys, a real guard file, a clock that waits for nobody. */
export class LoneGateway {
  readonly claim: ClaimService
  readonly #kept: Kept
  #nowMs = 0

  constructor(folder: string, kept?: Kept, step: Step = () => undefined) {
    mkdirSync(folder, { recursive: true })
    this.#kept = kept ?? { folder, root: testRoot(), label: newKey(), identity: newKey(), claim: undefined }
    const quiet = { info: () => undefined, warn: () => undefined }
    const guard = new ClaimGuard(folder, () => this.#nowMs)
    this.claim = new ClaimService({
      gateway: GATEWAY,
      trust: this.root.trust,
      key: this.#kept.identity,
      keeper: {
        read: () => this.#kept.claim,
        write: async (state) => {
          step()
          await Promise.resolve()
          this.#kept.claim = JSON.parse(JSON.stringify(state)) as unknown
          step()
        },
      },
      guard: stepping(guard, step),
      policy: {
        name: () => '',
        stored: () => null,
        overrule: () => undefined,
        onStored: () => () => undefined,
      },
      presence: NO_BUTTON,
      trustedMs: () => null,
      wallMs: () => 0,
      monoMs: () => this.#nowMs,
      bootId: 'boot',
      eachHour: () => () => undefined,
      log: quiet,
    })
  }

  get root(): TestRoot {
    return this.#kept.root
  }

  get label(): SigningKey {
    return this.#kept.label
  }

  /** The same gateway with its power back. */
  restarted(step?: Step): LoneGateway {
    return new LoneGateway(this.#kept.folder, this.#kept, step)
  }

  async start(): Promise<void> {
    await this.claim.start()
    const claimKey = this.label.publicKey
    await this.claim.deliver(
      sealBirth({ v: 1, gateway: GATEWAY, model: 'HG-4', generation: 1, claimKey }, this.root.seal),
    )
  }

  /** Any lock is over. */
  wait(ms: number): void {
    this.#nowMs += ms
  }

  ticket(
    id: string,
    { serials = null, root = this.root }: { serials?: string[] | null; root?: TestRoot } = {},
  ) {
    const told = {
      v: 1,
      id,
      kind: 'ticket',
      organisation: { id: 'acme', name: 'acme' },
      workspace: null,
      installer: 'ian',
      serials,
      maxUses: 1,
      from: 0,
      until: 1,
      members: [{ org: 'acme', name: 'ian', role: 'owner', incarnation: 1 }],
      keys: [],
    }
    return { id: id as TicketId, sealed: sealTicket(ClaimTicket.parse(told), root.seal) }
  }

  /** A proof for a challenge of this moment. */
  proof(key: SigningKey, ticket: TicketId): Uint8Array {
    const nonceP = ClaimNonce.parse(newNonce())
    const answer = openChallenge(this.claim.challenge(nonceP), {
      nonceP,
      publicKey: this.#kept.identity.publicKey,
    })
    if (answer === undefined) throw new Error('the gateway did not sign for this nonce')
    return sealSiteProof({ v: 1, gateway: GATEWAY, nonceP, nonceG: answer.nonceG, ticket }, key)
  }
}

function stepping(guard: ClaimGuard, step: Step): ClaimGuard {
  const around =
    <A extends readonly unknown[]>(write: (...given: A) => void) =>
    (...given: A): void => {
      step()
      write(...given)
      step()
    }
  return Object.create(guard, {
    counter: { get: () => guard.counter },
    generation: { get: () => guard.generation },
    lockedMs: { value: () => guard.lockedMs() },
    tried: {
      value: around(() => {
        guard.tried()
      }),
    },
    judged: {
      value: around((isProven: boolean) => {
        guard.judged(isProven)
      }),
    },
    reached: {
      value: around((at: Parameters<ClaimGuard['reached']>[0]) => {
        guard.reached(at)
      }),
    },
  }) as ClaimGuard
}
