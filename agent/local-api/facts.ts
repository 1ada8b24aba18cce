import type { Broker } from '../../broker/index.ts'
import type { Hardware } from '../../hardware/index.ts'
import type { GatewayClock } from '../clock/index.ts'
import type { Config } from '../config/config.ts'
import type { FieldState } from '../field-state.ts'
import type { LocalPrincipal } from '../policy/local-policy.ts'
import type { Store } from '../storage/index.ts'
import type { Link } from '../uplink.ts'
import { VERSION } from '../version.ts'
import type {
  GatewayFacts,
  GatewayState,
  QuotaState,
  ReadingFacts,
  SensorFacts,
  UsageFacts,
} from './state.ts'

export interface FactSources {
  readonly config: Config
  readonly store: Store
  readonly clock: GatewayClock
  readonly broker: Broker<LocalPrincipal>
  readonly hardware: Hardware
  readonly field: FieldState
  readonly link: Link | null
}

/** Numbers beyond 2^53 as decimal text, so that every reader keeps them exact. */
const shown = (value: number | bigint | string | null): number | string | null =>
  typeof value === 'bigint' ? value.toString() : value

/** The gateway's answers about itself, from committed facts and the present state of its parts. */
export class Facts implements GatewayFacts {
  readonly #sources: FactSources
  readonly #startedMs: number

  constructor(sources: FactSources) {
    this.#sources = sources
    this.#startedMs = sources.clock.now().monoMs
  }

  status(): GatewayState {
    const { config, store, clock, broker, hardware, link } = this.#sources
    const now = clock.now()
    const process = hardware.stats()
    const counts = store.reader.counts()
    const { waiting, ...counted } = counts
    return {
      gateway: config.gateway.id,
      version: VERSION,
      bootId: clock.bootId,
      upSeconds: Math.round((now.monoMs - this.#startedMs) / 1000),
      clock: { state: now.clock, wall: new Date(now.wallMs).toISOString() },
      policy: {
        version: store.policy.version(),
        local: config.cloud === null,
        refused: store.policy.refusals(),
      },
      ...this.#field(),
      quotas: this.#quotas(),
      store: { ...counted, ...store.reader.size() },
      link: link?.facts() ?? null,
      streams: Object.fromEntries(
        Object.entries(store.outbox.streams()).map(([name, { epoch, next }]) => {
          const unacked = waiting[name as keyof typeof waiting]
          return [name, { epoch, next, acked: next - 1 - unacked }]
        }),
      ),
      broker: { ...broker.stats() },
      hardware: { pid: process.pid, restarts: process.restarts, dropped: this.#sources.field.dropped },
    }
  }

  sensors(): SensorFacts[] {
    const { store } = this.#sources
    const sensors = new Map<
      string,
      { facts: Omit<SensorFacts, 'channels'>; channels: SensorFacts['channels'][number][] }
    >()
    const definitions = new Map(store.reader.channels().map((def) => [def.no, def]))
    for (const [no, reading] of store.reader.latest()) {
      const def = definitions.get(no)
      if (def === undefined) continue
      const key = `${def.device}/${def.sensor}/${def.org}`
      const facts = { device: def.device, sensor: def.sensor, organisation: def.org }
      const sensor = sensors.get(key) ?? { facts, channels: [] }
      sensors.set(key, sensor)
      sensor.channels.push({
        channel: def.channel,
        unit: def.unit,
        value: shown(reading.value),
        quality: reading.quality,
        reason: reading.reason,
        takenAt: new Date(reading.takenAt).toISOString(),
      })
    }
    return [...sensors.values()].map(({ facts, channels }) => ({ ...facts, channels }))
  }

  /** Of organisations that are billed from outside there is nothing to see, on any surface (S0.35). */
  usage(): UsageFacts[] {
    const { store } = this.#sources
    const hidden = this.#billedOutside()
    const shownHere = store.reader.usage().filter(({ org }) => !hidden.has(org))
    return shownHere.map(({ org, subject, meter, gen, end, billable }) => ({
      organisation: org,
      subject,
      meter,
      generation: gen,
      end: end.toString(),
      billable,
    }))
  }

  #quotas(): QuotaState[] {
    const hidden = this.#billedOutside()
    return this.#sources.store.quota
      .facts()
      .map(({ workspace, org, meter, period, limit, used, isOver }) => ({
        ...{ workspace, organisation: org, meter, period, limit },
        used: org !== null && hidden.has(org) ? null : used.toString(),
        over: isOver,
      }))
  }

  #billedOutside(): Set<string> {
    const organisations = this.#sources.store.policy.current()?.organisations ?? []
    return new Set(organisations.filter(({ billing }) => billing === 'external').map(({ id }) => id))
  }

  *readings(query: {
    device: string | null
    channel: string | null
    from: number
    to: number
  }): Generator<ReadingFacts> {
    const { reader } = this.#sources.store
    const wanted = new Map(
      reader
        .channels()
        .filter((def) => query.device === null || def.device === query.device)
        .filter((def) => query.channel === null || def.channel === query.channel)
        .map((def) => [def.no, def]),
    )
    for (const reading of reader.each({ channels: [...wanted.keys()], from: query.from, to: query.to })) {
      const def = wanted.get(reading.channel)
      if (def === undefined) continue
      const { device, sensor, channel, derived, org } = def
      const { takenAt, quality, reason } = reading
      yield {
        device,
        sensor,
        channel,
        derived,
        organisation: org,
        takenAt,
        value: shown(reading.value),
        quality,
        reason,
      }
    }
  }

  #field(): Pick<GatewayState, 'lines' | 'devices' | 'refused'> {
    const { config, field, hardware, store } = this.#sources
    const report = hardware.stats().report
    const owners = new Map(
      (store.policy.current()?.devices ?? []).map((device) => [String(device.id), device.org]),
    )
    const home = store.policy.current()?.owner.org
    return {
      lines: [...field.lines].map(([id, { state }]) => ({
        id,
        state,
        utilisation: report?.lines[id]?.utilisation ?? 0,
      })),
      devices: [...field.devices].map(([id, { state, reason }]) => {
        const proposed = config.devices.find((device) => device.id === id)?.organisation
        return { id, organisation: owners.get(id) ?? home ?? proposed ?? '', health: state, reason }
      }),
      refused: [...field.refused.values()],
    }
  }
}
