import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument, visit } from 'yaml'
import type { BrokerLimits, ListenerSpec } from '../../broker/index.ts'
import type {
  DeviceId,
  GatewayId,
  Hash,
  MemberName,
  OrgId,
  RoleV1,
  WorkspaceId,
} from '../../cloud-sync/contract/index.ts'
import type { Calibration, DeviceConfig, LineConfig } from '../../hardware/index.ts'
import type { CellularRules } from '../cellular/index.ts'
import { AgentError } from '../errors.ts'
import { crossCheck } from './cross-check.ts'
import { ConfigError, type ConfigFault, faultsOf, Locator } from './fault.ts'
import { type ProfileReader, profileReader } from './profile-file.ts'
import { ConfigFile } from './schema.ts'

const HOUR_MS = 3_600_000

const CONFIG_BYTES_MAX = 1024 * 1024
const FINGERPRINT_DIGITS = 16

/** Everything a gateway is told, checked, complete, frozen. Paths are absolute, durations milliseconds. */
export interface Config {
  /** First digits of the text's SHA-256: names this configuration in every usage record. */
  readonly fingerprint: string
  readonly gateway: { readonly id: GatewayId; readonly dataDir: string }
  readonly lines: readonly LineConfig[]
  readonly devices: readonly ConfiguredDevice[]
  readonly broker: {
    readonly listen: readonly ListenerSpec[]
    readonly anonymous: 'none' | 'read'
    readonly limits: BrokerLimits
    /** Where the broker's figures are served, HOST:PORT; null = nowhere. */
    readonly metrics: string | null
  }
  /** null = the gateway works alone. */
  readonly cloud: CloudConfig | null
  readonly claim: {
    /** A file that is touched when the button of the gateway is pressed. */
    readonly button: string | null
  }
  readonly console: {
    readonly host: string
    readonly port: number
    /** By which it may be asked for besides its addresses. */
    readonly names: readonly string[]
  } | null
  /** Who may do what without a cloud; null with one, or where nobody is named. */
  readonly local: LocalDirectory | null
  readonly storage: {
    readonly commitWindowMs: number
    readonly maxBytes: number
    readonly keepReadingsMs: number
  }
  readonly usage: { readonly intervalMs: number }
  /** How cellular links are metered; null = none is. */
  readonly cellular: CellularConfig | null
  readonly uplink: {
    readonly keepaliveMs: number
    readonly reconnectMaxMs: number
    readonly batchAfterMs: number
    readonly liveBytesPerSecond: number
    readonly backfillBytesPerSecond: number
  }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

/** A device with what the hardware side needs and what it does not know: whose it is. */
export interface ConfiguredDevice extends DeviceConfig {
  readonly id: DeviceId
  /** As it was written: a shipped profile's name or a file. */
  readonly profileName: string
  /** With a cloud these are a proposal only. */
  readonly organisation: OrgId | null
  readonly custodian: MemberName | null
  /** It tells of the gateway itself: metered, not billed. */
  readonly diagnostic: boolean
  readonly workspace: WorkspaceId | null
}

export interface CloudConfig {
  readonly url: string
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  /** The cloud's root public key, 32 bytes in base64. */
  readonly trust: string
}

export interface CellularConfig extends CellularRules {
  /** ModemManager is asked for SIM and bearers. */
  readonly modemManager: boolean
}

export interface LocalDirectory {
  readonly organisation: { readonly id: OrgId; readonly name: string }
  readonly users: readonly { readonly name: MemberName; readonly role: RoleV1; readonly keyHash: Hash }[]
}

/** Where a text stands: `dir` resolves its relative paths, `name` is what faults call it. */
export interface ConfigPlace {
  readonly dir: string
  readonly name?: string
}

/** Reads and checks a configuration file. @throws AgentError CONFIG_UNREADABLE, ConfigError (CONFIG_INVALID) */
export function loadConfig(path: string): Config {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AgentError('CONFIG_UNREADABLE', `cannot read ${path}`, { cause })
  }
  return parseConfig(text, { dir: dirname(resolve(path)), name: path })
}

/** Checks a configuration and completes it; names every fault at once. @throws ConfigError (CONFIG_INVALID) */
export function parseConfig(text: string, { dir, name = 'configuration' }: ConfigPlace): Config {
  if (text.length > CONFIG_BYTES_MAX) {
    throw new ConfigError(name, [{ line: 1, column: 1, path: '', message: 'is larger than 1 MiB' }])
  }
  const { file, locate } = parseYaml(text, name)
  const faults: ConfigFault[] = []
  const parsed = ConfigFile.safeParse(file, { reportInput: true })
  if (!parsed.success) faults.push(...parsed.error.issues.flatMap((issue) => faultsOf(issue, locate)))
  const profiles = profileReader(dir)
  crossCheck(file, { dir, profiles, report: (path, message) => faults.push(locate.fault(path, message)) })
  if (!parsed.success || faults.length > 0) throw refusal(name, faults)
  const fingerprint = createHash('sha256').update(text).digest('hex').slice(0, FINGERPRINT_DIGITS)
  return frozen({ ...complete(parsed.data, { dir, profiles }), fingerprint })
}

/** @throws ConfigError with every fault of the YAML itself */
export function parseYaml(text: string, name: string): { file: unknown; locate: Locator } {
  const lines = new LineCounter()
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false })
  const faults = document.errors.map(({ message, pos }): ConfigFault => {
    const { line, col } = lines.linePos(pos[0])
    return { line, column: col, path: '', message }
  })
  visit(document, {
    // An alias can make a small file expand without end, and nothing here is worth writing once for two places.
    Alias: (_key, { range }) => {
      const { line, col } = lines.linePos(range?.[0] ?? 0)
      faults.push({ line, column: col, path: '', message: 'aliases (*name) are not taken' })
    },
  })
  if (faults.length > 0) throw refusal(name, faults)
  return { file: document.toJS() ?? {}, locate: new Locator(document, lines) }
}

const refusal = (name: string, faults: ConfigFault[]): ConfigError =>
  new ConfigError(
    name,
    faults.sort((a, b) => a.line - b.line || a.column - b.column),
  )

interface Surroundings {
  readonly dir: string
  readonly profiles: ProfileReader
}

function complete(file: ConfigFile, { dir, profiles }: Surroundings): Omit<Config, 'fingerprint'> {
  const { gateway, broker, storage, usage, uplink, log } = file
  const local = file.organisation === undefined ? null : localOf(file.organisation, file.users)
  return {
    gateway: { id: gateway.id, dataDir: resolve(dir, gateway.dataDir) },
    lines: file.lines.map(lineOf),
    devices: file.devices.map((device) => deviceOf(device, profiles, local?.organisation.id)),
    broker: {
      ...broker,
      listen: broker.listen.map((entry) => listenerOf(entry, dir)),
      metrics: broker.metrics?.listen ?? null,
    },
    cloud: file.cloud === undefined ? null : cloudOf(file.cloud, dir),
    claim: { button: file.claim.button === undefined ? null : resolve(dir, file.claim.button) },
    console:
      file.console === undefined ? null : { ...hostAndPort(file.console.listen), names: file.console.names },
    local,
    storage: {
      commitWindowMs: storage.commitWindow,
      maxBytes: storage.maxBytes,
      keepReadingsMs: storage.keepReadings,
    },
    usage: { intervalMs: usage.interval ?? (file.cellular === undefined ? HOUR_MS : 24 * HOUR_MS) },
    cellular: file.cellular === undefined ? null : cellularOf(file.cellular),
    uplink: {
      keepaliveMs: uplink.keepalive,
      reconnectMaxMs: uplink.reconnectMax,
      batchAfterMs: uplink.batchAfter,
      liveBytesPerSecond: uplink.liveBytesPerSecond,
      backfillBytesPerSecond: uplink.backfillBytesPerSecond,
    },
    log,
  }
}

function lineOf({ id, baud, format, path, usb, tcp }: ConfigFile['lines'][number]): LineConfig {
  if (usb !== undefined) {
    const { vendor, product, serial } = usb
    const port = { kind: 'usb', vendor, product, ...(serial === undefined ? {} : { serial }) } as const
    return { id, baud, format, port }
  }
  if (tcp !== undefined) return { id, baud, format, port: { kind: 'tcp', ...hostAndPort(tcp) } }
  return { id, baud, format, port: { kind: 'path', path: path ?? '' } }
}

function deviceOf(
  device: ConfigFile['devices'][number],
  profiles: ProfileReader,
  home: OrgId | undefined,
): ConfiguredDevice {
  const profile = profiles(device.profile)
  const calibrations: Calibration[] = device.calibrations
  return {
    id: device.id,
    line: device.line,
    address: device.address,
    profileName: device.profile,
    profile: profile.ok ? profile.text : '',
    everyMs: device.every,
    calibrations,
    organisation: device.organisation ?? home ?? null,
    custodian: device.custodian ?? null,
    diagnostic: device.diagnostic === 'true',
    workspace: device.workspace ?? null,
  }
}

function listenerOf(entry: ConfigFile['broker']['listen'][number], dir: string): ListenerSpec {
  const { tls } = entry
  if (tls === undefined) return entry
  const { cert, key, ca, clientCertificate } = tls
  const files = { cert: resolve(dir, cert), key: resolve(dir, key) }
  return {
    ...entry,
    tls: { ...files, clientCertificate, ...(ca === undefined ? {} : { ca: resolve(dir, ca) }) },
  }
}

function cloudOf({ url, trust, ...files }: NonNullable<ConfigFile['cloud']>, dir: string): CloudConfig {
  const absolute = (file: string | undefined): string | null =>
    file === undefined ? null : resolve(dir, file)
  return { url, trust, ca: absolute(files.ca), cert: absolute(files.cert), key: absolute(files.key) }
}

function cellularOf(cellular: NonNullable<ConfigFile['cellular']>): CellularConfig {
  const { interfaces, counterBits, sampleEvery, modemManager, hostAbsorbs, budget } = cellular
  return {
    interfaces: interfaces ?? null,
    counterBits,
    sampleEveryMs: sampleEvery,
    modemManager: modemManager === 'on',
    hostAbsorbs: hostAbsorbs === 'true',
    budget: budget ?? null,
  }
}

const localOf = (
  organisation: LocalDirectory['organisation'],
  users: ConfigFile['users'],
): LocalDirectory => ({
  organisation,
  users: users.map(({ name, role, keyHash }) => ({ name, role, keyHash })),
})

function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) frozen(part)
  }
  return value
}
