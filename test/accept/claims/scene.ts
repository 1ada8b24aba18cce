import { setTimeout as sleep } from 'node:timers/promises'
import type { ClaimLabel } from '../../../cloud-sync/contract/index.ts'
import { type Asker, claimAt, type ClaimSite, type SiteGateway } from '../../support/claim-site.ts'
import { labelOf, onlineClaim } from '../../support/claims.ts'
import { cloudIdOf } from '../../../cloud-sync/codec/index.ts'

const CLOUD_MS_MAX = 60_000
const ASK_EVERY_MS = 200

type Who = Extract<Asker, `${string}:${string}`>
export const orgOf = (who: Who): string => who.split(':')[0] ?? ''

/** A site, and what went otherwise than designed. */
export class ClaimScene {
  readonly site: ClaimSite
  readonly failures: string[] = []
  readonly #trust: string

  constructor(site: ClaimSite, trust: string) {
    this.site = site
    this.#trust = trust
  }

  static async at(site: ClaimSite): Promise<ClaimScene> {
    const { body } = await site.ask('anybody', 'GET /v1/trust')
    return new ClaimScene(site, String(body['trust']))
  }

  holds(what: string, got: unknown, wanted: unknown): void {
    const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)]
    if (one !== other) this.failures.push(`${what}: ${one}, not ${other}`)
  }

  /** A sealed ticket and its id. */
  async ticket(who: Who, more: object = {}): Promise<{ id: string; sealed: string }> {
    const { body } = await this.site.ask(who, `POST /v1/organisations/${orgOf(who)}/tickets`, more)
    return { id: String(body['ticket']), sealed: String(body['sealed']) }
  }

  revoke(who: Who, id: string) {
    return this.site.ask(who, `DELETE /v1/organisations/${orgOf(who)}/tickets/${id}`)
  }

  /** Asks the cloud with a label; the answer holds the reservation. */
  async reserve(who: Who, label: ClaimLabel) {
    const user = who.split(':')[1] ?? ''
    const org = orgOf(who)
    const nonce = crypto.randomUUID().replaceAll('-', '')
    const made = await onlineClaim(label, { org, user, cloudId: cloudIdOf(this.#trust), nonce })
    const { gateway, proof } = made
    return this.site.ask(who, `POST /v1/organisations/${org}/claims`, { gateway, nonce, proof })
  }

  /** Brings a receipt by phone: verdict and why. */
  async bring(gateway: string, receipt: unknown): Promise<unknown[]> {
    const { body } = await this.bringAs(gateway, receipt)
    return [body['verdict'], body['because']]
  }

  /** The whole answer to a receipt that somebody brings. */
  bringAs(gateway: string, receipt: unknown) {
    return this.site.ask('anybody', 'POST /v1/claims/receipts', { gateway, receipt })
  }

  async look(serial: string): Promise<Record<string, unknown>> {
    return (await this.site.ask('operator', `GET /v1/operator/claims/gateways/${serial}`)).body
  }

  /** Waits until the cloud says so. */
  async untilCloud(serial: string, state: string): Promise<void> {
    const late = Date.now() + CLOUD_MS_MAX
    while ((await this.look(serial))['state'] !== state) {
      if (Date.now() > late) throw new Error(`${serial} is never ${state} in the cloud`)
      await sleep(ASK_EVERY_MS)
    }
  }

  /** Cuts the link: nothing passes, and nobody gets through again. */
  cut(): void {
    this.site.link.isRefusing = true
    this.site.link.cut()
  }

  /** Joins the link again; the gateways come back from a power cut, so that none waits before it dials. */
  async rejoin(...gateways: readonly SiteGateway[]): Promise<void> {
    this.site.link.isRefusing = false
    await Promise.all(
      gateways.map(async (gateway) => {
        await gateway.end('SIGKILL')
        await gateway.start()
      }),
    )
  }

  claim(gateway: SiteGateway, sealed: string, label: ClaimLabel = labelOf(gateway.label)) {
    return claimAt(gateway, { label, sealed })
  }
}

/** The same label with a code that nobody was given. */
export const guessOf = (label: ClaimLabel): ClaimLabel => ({
  ...label,
  code: '00000000000000000000' as ClaimLabel['code'],
})
