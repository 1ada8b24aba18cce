import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { z } from 'zod'

const run = promisify(execFile)

/** One call of mmcli; ModemManager itself gives a modem longer than that, but the next look comes anyway. */
const CALL_MS_MAX = 10_000
const ANSWER_BYTES_MAX = 1024 * 1024
const MODEMS_MAX = 8
const BEARERS_MAX = 16

/** A data connection of a modem, with the modem's own count of it. */
export interface Bearer {
  /** D-Bus path: another one is another connection object, whose counts begin at 0. */
  readonly path: string
  /** Network interface; null while it is not connected. */
  readonly iface: string | null
  /** All bytes of this object over its connections; null where this ModemManager or modem does not count. */
  readonly total: { readonly rx: bigint; readonly tx: bigint } | null
  /** Of its connections together, seconds; null where it was never connected for long. */
  readonly connectedS: number | null
}

export interface Modem {
  readonly path: string
  /** As ModemManager says it, e.g. `connected`. */
  readonly state: string
  /** MCC and MNC of the network, e.g. 26201. */
  readonly operator: string | null
  readonly operatorName: string | null
  readonly roaming: boolean
  /** e.g. `lte`. */
  readonly access: readonly string[]
  readonly signalPercent: number | null
  /** dBm of the strongest technology that reports one; null unless the modem measures it. */
  readonly rsrpDbm: number | null
  /** ICCID. */
  readonly sim: string | null
  /** Time of the network with its zone, as ISO 8601; null where the network tells none. */
  readonly networkTime: string | null
  readonly bearers: readonly Bearer[]
}

/** What is known of the modems. Without ModemManager the kernel's counters are metered all the same. */
export type ModemLook =
  | { readonly state: 'absent' }
  | { readonly state: 'failed'; readonly reason: string }
  | { readonly state: 'known'; readonly modems: readonly Modem[] }

/** Calls mmcli with these arguments and answers its JSON. */
export type AskModems = (args: readonly string[]) => Promise<unknown>

/** mmcli writes every value as text and `--` for none. */
const text = z.string().transform((value) => (value === '--' || value === '' ? null : value))
const optional = text.nullable().default(null).catch(null)
const whole = optional.transform((value) =>
  value !== null && /^\d{1,30}$/.test(value) ? BigInt(value) : null,
)
const decimal = optional.transform((value) =>
  value !== null && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : null,
)
const paths = z.array(z.string()).default([])

const ModemList = z.object({ 'modem-list': paths })
const ModemAnswer = z.object({
  modem: z.object({
    '3gpp': z
      .object({ 'operator-code': optional, 'operator-name': optional, 'registration-state': optional })
      .prefault({}),
    generic: z.object({
      'access-technologies': paths.catch([]),
      bearers: paths,
      'signal-quality': z.object({ value: decimal }).prefault({}),
      sim: optional,
      state: z.string(),
    }),
  }),
})
const BearerAnswer = z.object({
  bearer: z.object({
    stats: z
      .object({ 'total-bytes-rx': whole, 'total-bytes-tx': whole, 'total-duration': decimal })
      .prefault({}),
    status: z.object({ connected: z.string(), interface: optional }),
  }),
})
const SimAnswer = z.object({ sim: z.object({ properties: z.object({ iccid: optional }) }) })
const strength = z.object({ rsrp: decimal }).prefault({})
const SignalAnswer = z.object({ modem: z.object({ signal: z.object({ lte: strength, '5g': strength }) }) })
const TimeAnswer = z.object({ modem: z.object({ time: z.object({ current: optional }) }) })

/** A child process for each call, ended when its time is over. @param command another program for a test */
export function askMmcli(command = 'mmcli', timeoutMs = CALL_MS_MAX): AskModems {
  return async (args) => {
    const { stdout } = await run(command, ['-J', ...args], {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: ANSWER_BYTES_MAX,
      env: { ...process.env, LC_ALL: 'C' },
    })
    return JSON.parse(stdout) as unknown
  }
}

/** One look at all modems; never throws. What a single modem does not tell is null. */
export async function lookAtModems(ask: AskModems): Promise<ModemLook> {
  try {
    const listed = ModemList.parse(await ask(['-L']))['modem-list'].slice(0, MODEMS_MAX)
    const modems: Modem[] = []
    for (const path of listed) modems.push(await modemAt(ask, path))
    return { state: 'known', modems }
  } catch (error) {
    if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'ENOENT')
      return { state: 'absent' }
    return { state: 'failed', reason: error instanceof Error ? firstLine(error.message) : String(error) }
  }
}

async function modemAt(ask: AskModems, path: string): Promise<Modem> {
  const { modem } = ModemAnswer.parse(await ask(['-m', path]))
  const { generic } = modem
  const bearers: Bearer[] = []
  for (const bearer of generic.bearers.slice(0, BEARERS_MAX)) bearers.push(await bearerAt(ask, bearer))
  const sim = generic.sim === null ? null : SimAnswer.parse(await ask(['-i', generic.sim]))
  const signal = await orNull(SignalAnswer, () => ask(['-m', path, '--signal-get']))
  const time = await orNull(TimeAnswer, () => ask(['-m', path, '--time']))
  const strengths = [signal?.modem.signal.lte.rsrp, signal?.modem.signal['5g'].rsrp]
  return {
    path,
    state: generic.state,
    operator: modem['3gpp']['operator-code'],
    operatorName: modem['3gpp']['operator-name'],
    roaming: modem['3gpp']['registration-state'] === 'roaming',
    access: generic['access-technologies'],
    signalPercent: generic['signal-quality'].value,
    rsrpDbm: strengths.reduce<number | null>((best, one) => strongest(best, one ?? null), null),
    sim: sim?.sim.properties.iccid ?? null,
    networkTime: isoTime(time?.modem.time.current ?? null),
    bearers,
  }
}

async function bearerAt(ask: AskModems, path: string): Promise<Bearer> {
  const { bearer } = BearerAnswer.parse(await ask(['-b', path]))
  const { 'total-bytes-rx': rx, 'total-bytes-tx': tx, 'total-duration': connectedS } = bearer.stats
  const iface = bearer.status.connected === 'yes' ? bearer.status.interface : null
  return { path, iface, connectedS, total: rx === null || tx === null ? null : { rx, tx } }
}

/** Not every modem has a clock or measures its signal; mmcli then ends with an error. */
async function orNull<T>(schema: z.ZodType<T>, ask: () => Promise<unknown>): Promise<T | null> {
  try {
    return schema.parse(await ask())
  } catch {
    return null
  }
}

/** ModemManager 1.20 writes a zone as `+01`, which ISO 8601's extended format does not. */
const isoTime = (time: string | null): string | null => time?.replace(/([+-]\d\d)$/, '$1:00') ?? null

const strongest = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.max(a, b)

const firstLine = (message: string): string => message.split('\n', 1)[0] ?? ''
