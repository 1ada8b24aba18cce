import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GatewayClock } from '../clock/index.ts'
import type { CloudConfig, Config } from '../config/config.ts'
import { gatewayKey } from '../identity.ts'
import type { Log } from '../log.ts'
import type { Store } from '../storage/index.ts'
import { ClaimGuard } from './guard.ts'
import { buttonFile, NO_BUTTON } from './presence.ts'
import { ClaimService } from './service.ts'
import { eachHour } from './unconfirmed.ts'

/** Put there in the factory: the claim key of the label, as `headgate cloud provision` wrote it. */
const BIRTH_FILE = 'claim.birth'

/** A claim with what it stands on; it starts with the birth that the factory left beside the database. */
export function createClaim(
  cloud: CloudConfig,
  { config, store, clock, log }: { config: Config; store: Store; clock: GatewayClock; log: Log },
): { readonly claim: ClaimService; start(): Promise<void>; stop(): Promise<void> } {
  const { id, dataDir } = config.gateway
  const monoMs = (): number => clock.now().monoMs
  const { button } = config.claim
  const claim = new ClaimService({
    gateway: id,
    trust: cloud.trust,
    key: gatewayKey(dataDir),
    keeper: store.claim,
    guard: new ClaimGuard(dataDir, monoMs),
    policy: {
      name: () => {
        const stored = store.policy.stored()
        return stored === null ? '' : `${stored.generation}.${stored.version}`
      },
      stored: () => store.policy.stored(),
      overrule: (snapshot) => {
        store.policy.overrule(snapshot)
      },
      onStored: (listener) => store.policy.onStored(listener),
    },
    presence: button === null ? NO_BUTTON : buttonFile(button, monoMs),
    trustedMs: () => (clock.now().clock === 'synced' ? clock.highWaterMs() : null),
    wallMs: () => clock.now().wallMs,
    monoMs,
    bootId: clock.bootId,
    eachHour,
    log,
  })
  return {
    claim,
    async start() {
      await claim.start()
      const path = join(dataDir, BIRTH_FILE)
      if (!existsSync(path)) return
      const isTaken = await claim.deliver(Buffer.from(readFileSync(path, 'utf8').trim(), 'base64'))
      if (!isTaken) log.warn({ path }, 'this is no claim key for this gateway from its cloud')
    },
    stop: () => claim.stop(),
  }
}
