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

/** The claim of one gateway without the rest of it: real keys, a real guard file, a clock that waits for nobody. */
export class LoneGateway {
  readonly root: TestRoot = testRoot()
  readonly label: SigningKey = newKey()
  readonly claim: ClaimService
  readonly #identity = newKey()
  #kept: unknown
  #nowMs = 0

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true })
    const quiet = { info: () => undefined, warn: () => undefined }
    this.claim = new ClaimService({
      gateway: GATEWAY,
      trust: this.root.trust,
      key: this.#identity,
      keeper: {
        read: () => this.#kept,
        write: (state) => {
          this.#kept = state
          return Promise.resolve()
        },
      },
      guard: new ClaimGuard(folder, () => this.#nowMs),
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
      publicKey: this.#identity.publicKey,
    })
    if (answer === undefined) throw new Error('the gateway did not sign for this nonce')
    return sealSiteProof({ v: 1, gateway: GATEWAY, nonceP, nonceG: answer.nonceG, ticket }, key)
  }
}
