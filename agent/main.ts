import { join } from 'node:path'
import { type Broker, createBroker } from '../broker/index.ts'
import { NOBODY, type OrgId } from '../cloud-sync/contract/index.ts'
import { type Hardware, superviseHardware } from '../hardware/index.ts'
import { cellularLink } from './cellular-link.ts'
import { createClaim } from './claim/index.ts'
import { GatewayClock, systemSources } from './clock/index.ts'
import type { Config } from './config/config.ts'
import { diagnosticDevices } from './diagnostics.ts'
import { doorsOf } from './doors.ts'
import { Enforcement } from './enforcement.ts'
import { FieldState } from './field-state.ts'
import { meterFieldDevices } from './field-traffic.ts'
import { localRootKey } from './identity.ts'
import { LearntSplits } from './learnt-splits.ts'
import { Facts } from './local-api/facts.ts'
import type { Log } from './log.ts'
import { metricsPage } from './metrics-page.ts'
import type { OwnerRules } from './owners.ts'
import { Pipeline } from './pipeline.ts'
import { localRules, localSnapshot } from './policy/local-authority.ts'
import { LocalPolicy, type LocalPrincipal } from './policy/local-policy.ts'
import { Publishing } from './publishing.ts'
import { Refusals } from './refusals.ts'
import { Resolutions } from './resolutions.ts'
import { routineOf } from './routine.ts'
import { runServices, type Service } from './services.ts'
import { openStore, type Store } from './storage/index.ts'
import { createLink } from './uplink.ts'
import { VERSION } from './version.ts'

export interface ReadyFacts {
  readonly gateway: string
  readonly broker: readonly string[]
  /** `http://HOST:PORT`; null where there is none. */
  readonly console: string | null
}

export interface GatewayDeps {
  readonly log: Log
  /** Aborted = stop in reverse order. */
  readonly signal: AbortSignal
  /** Gets what reads the certificates of the listeners again. */
  readonly onRenewal?: (renew: () => Promise<void>) => void
  /** All is up. */
  onReady(facts: ReadyFacts): void
}

/** Whose the gateway's own events are while nobody has said so. */
const UNCLAIMED = NOBODY

/** Composes the gateway, runs it until the signal, stops it in reverse. Only wiring: the story is pipeline.ts. */
export async function startGateway(config: Config, deps: GatewayDeps): Promise<void> {
  const { log } = deps
  const damage = new AbortController()
  const { store, clock } = openStoreAndClock(config, {
    log,
    onDamage: () => {
      damage.abort()
    },
  })
  try {
    const { broker, policy, enforcement } = brokerOf(config, { store, log })
    const field = new FieldState(config)
    const publishing = new Publishing({ gateway: config.gateway.id, broker, field })
    enforcement.watch(publishing)
    const pipeline = pipelineOf(config, { store, publishing, log })
    const hardware = hardwareOf(config, { store, pipeline, field, publishing, log })
    const claiming = config.cloud === null ? null : createClaim(config.cloud, { config, store, clock, log })
    const claim = claiming?.claim ?? null
    const link = config.cloud === null ? null : createLink(config.cloud, { config, store, clock, log, claim })
    const cellular =
      config.cellular === null
        ? null
        : cellularLink(config.cellular, { store, clock, log, home: homeOf(config), link })
    const facts = new Facts({ config, store, clock, broker, hardware, field, link })
    const { localApi, console } = doorsOf(config, {
      store,
      clock,
      log,
      facts,
      inForce: policy.inForce,
      claim,
    })
    const services: Service[] = [
      named('store', store),
      named('clock', clock),
      ...(claiming === null ? [] : [named('claim', claiming)]),
      localAuthority(config, { store, clock }),
      lastReadings({ pipeline, publishing }),
      named('broker', broker),
      ...(config.broker.metrics === null ? [] : [metricsPage(config.broker.metrics, { broker, log })]),
      named('pipeline', pipeline),
      named('hardware', hardware),
      ...(link === null ? [] : [named('link', link)]),
      ...(cellular === null ? [] : [named('cellular', cellular)]),
      routineOf({ publishing, enforcement, facts, log, wall: () => clock.now().wallMs }),
      named('local api', localApi),
      ...(console === null ? [] : [named('console', console)]),
    ]
    deps.onRenewal?.(() => broker.reloadCertificates())
    await runServices(services, AbortSignal.any([deps.signal, damage.signal]), {
      onUp: () => {
        deps.onReady({
          gateway: config.gateway.id,
          broker: broker.addresses(),
          console: console?.url ?? null,
        })
      },
      onStopFault: (service, error) => {
        log.error({ err: error, service }, 'a service did not stop')
      },
    })
  } finally {
    await store.stop()
  }
}

const named = (
  name: string,
  part: { start(signal: AbortSignal): Promise<void>; stop(): Promise<void> },
): Service => ({ name, start: (signal) => part.start(signal), stop: () => part.stop() })

/** The organisation of whatever nobody has assigned yet. */
const homeOf = ({ local, devices }: Config): OrgId =>
  local?.organisation.id ??
  devices.find(({ organisation }) => organisation !== null)?.organisation ??
  UNCLAIMED

function ownerRules(config: Config): OwnerRules {
  const home = homeOf(config)
  const proposed = config.devices.map(
    ({ id, organisation, custodian }) => [id, { org: organisation ?? home, custodian }] as const,
  )
  return { organisation: home, proposed: new Map(proposed) }
}

function openStoreAndClock(
  config: Config,
  { log, onDamage }: { log: Log; onDamage: () => void },
): { store: Store; clock: GatewayClock } {
  const { id, dataDir } = config.gateway
  const cloudConfigured = config.cloud !== null
  const sources = systemSources()
  let clock: GatewayClock | undefined
  const store = openStore({
    folder: dataDir,
    gateway: id,
    clockFrom: (highWaterMs) => (clock = new GatewayClock({ sources, highWaterMs, cloudConfigured })),
    trust: config.cloud?.trust ?? localRootKey(dataDir).publicKey,
    cloudConfigured,
    organisation: homeOf(config),
    sw: VERSION,
    cfg: config.fingerprint,
    windowMs: config.storage.commitWindowMs,
    intervalMs: config.usage.intervalMs,
    liveDelayMs: config.uplink.batchAfterMs,
    limits: { bytes: config.storage.maxBytes, days: config.storage.keepReadingsMs / 86_400_000 },
    onDamage: (error) => {
      log.error({ err: error }, 'the store cannot be used any more; the next start checks it')
      onDamage()
    },
    onRefused: (error) => {
      log.warn({ err: error }, 'the disk takes nothing; readings wait in memory')
    },
  })
  clock ??= new GatewayClock({ sources, highWaterMs: null, cloudConfigured })
  clock.onStep((step) => {
    log.warn({ step }, 'the wall clock stepped')
    store.noteClockStep(step).catch((error: unknown) => {
      log.warn({ err: error }, 'the step was not recorded')
    })
  })
  return { store, clock }
}

function brokerOf(
  config: Config,
  { store, log }: { store: Store; log: Log },
): { broker: Broker<LocalPrincipal>; policy: LocalPolicy; enforcement: Enforcement } {
  const policy = new LocalPolicy({
    gateway: config.gateway.id,
    anonymous: config.broker.anonymous,
    configured: config.devices,
    when: () => store.policyTime.when(),
    isOverQuota: (device) => store.quota.isOver(device),
    onDisclosed: (change, to) => {
      store.changes.disclosed(change, to)
    },
  })
  const refusals = new Refusals({
    recordEvent: (kind, detail) => {
      store.recordEvent(kind, detail).catch((error: unknown) => {
        log.warn({ err: error }, 'a refusal was not recorded')
      })
    },
  })
  const traffic = meterFieldDevices(ownerRules(config), store)
  const broker: Broker<LocalPrincipal> = createBroker<LocalPrincipal>({
    listen: config.broker.listen,
    policy,
    log,
    // One writer: a message, its meter and the readings of that moment share a transaction.
    storage: { database: store.database, writer: store.writer },
    limits: config.broker.limits,
    ownerOf: (topic) => policy.ownerOf(topic) ?? homeOf(config),
    onTraffic: (packet) => {
      traffic.count(packet)
    },
    onAudit: refusals.take,
    onLoaded: () => {
      enforcement.begin()
    },
  })
  const enforcement: Enforcement = new Enforcement({ store, policy, broker, log })
  return { broker, policy, enforcement }
}

/** Retained messages from inside are in memory only: the last readings and health are there before anybody asks. */
const lastReadings = ({ pipeline, publishing }: { pipeline: Pipeline; publishing: Publishing }): Service => ({
  name: 'last readings',
  start: () => publishing.again(pipeline.latest()),
  stop: () => Promise.resolve(),
})

function pipelineOf(
  config: Config,
  { store, publishing, log }: { store: Store; publishing: Publishing; log: Log },
): Pipeline {
  const resolutions = new Resolutions(config.devices)
  return new Pipeline({
    store,
    ...ownerRules(config),
    resolutionOf: (device, channel) => resolutions.of(device, channel),
    isDiagnostic: diagnosticDevices(config.devices, () => store.policy.current()),
    publish: (readings) => publishing.readings(readings),
    onPublishFailed: (error) => {
      log.warn({ err: error }, 'readings are stored but were not published')
    },
  })
}

interface HardwareParts {
  readonly store: Store
  readonly pipeline: Pipeline
  readonly field: FieldState
  readonly publishing: Publishing
  readonly log: Log
}

function hardwareOf(config: Config, { store, pipeline, field, publishing, log }: HardwareParts): Hardware {
  const splits = new LearntSplits(config.gateway.dataDir)
  const lost = (what: string) => (error: unknown) => {
    log.warn({ err: error }, what)
  }
  return superviseHardware({
    config: { lines: config.lines, devices: config.devices },
    splits: splits.all(),
    log,
    cacheFolder: join(config.gateway.dataDir, 'cache'),
    onReadings: (readings) => pipeline.take(readings),
    onEvent: (event) => {
      log.info({ event }, 'hardware')
      if (event.kind === 'splits') splits.keep(event.device, event.channels)
      const device = field.note(event)
      if (device !== undefined) publishing.device(device).catch(lost('a device status was not published'))
      if (event.kind === 'dropped') {
        store
          .recordEvent('readings_dropped', { where: 'hardware', readings: event.readings })
          .catch(lost('a drop was not recorded'))
      }
    },
  })
}

/** Without a cloud, the configuration's rules are signed by the gateway's own root and go the way of any snapshot. */
function localAuthority(config: Config, { store, clock }: { store: Store; clock: GatewayClock }): Service {
  return {
    name: 'local authority',
    async start() {
      const rules = localRules(config)
      if (config.cloud !== null || rules === undefined) return
      const current = store.policy.current() ?? undefined
      const rootKey = localRootKey(config.gateway.dataDir)
      const newest = store.policy.newest()?.version ?? 0
      const message = localSnapshot({ rules, current, newest, rootKey, now: clock.now().wallMs })
      if (message !== undefined) await store.policy.apply(message)
    },
    stop: () => Promise.resolve(),
  }
}
