import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import { AgentError } from '../errors.ts'
import { askGateway } from '../local-api/client.ts'
import type { GatewayState, QuotaState, SensorFacts, UsageFacts } from '../local-api/state.ts'
import { type Answer, table } from './output.ts'

export interface Where {
  readonly config?: string
  readonly data?: string
}

/** The data folder of the gateway that is asked: --data, --config, HEADGATE_DATA or the usual place. */
export async function dataDirOf(where: Where): Promise<string> {
  if (where.data !== undefined) return where.data
  if (where.config === undefined) return process.env['HEADGATE_DATA'] ?? '/var/lib/headgate'
  let text: string
  try {
    text = await readFile(where.config, 'utf8')
  } catch (cause) {
    throw new AgentError('CONFIG_UNREADABLE', `Cannot read ${where.config}`, { cause })
  }
  // Only this one key is needed, and a gateway may run on a configuration that has since been edited wrongly.
  const config = parse(text) as { gateway?: { dataDir?: unknown } } | null
  const dataDir = config?.gateway?.dataDir
  if (typeof dataDir !== 'string')
    throw new AgentError('CONFIG_INVALID', `${where.config} names no gateway.dataDir`)
  return resolve(dirname(where.config), dataDir)
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`

function quotaText({ workspace, meter, period, limit, used, over }: QuotaState): string {
  const told = `${workspace}  ${meter}  ${used ?? '-'} of ${limit} a ${period}`
  return over ? `${told}  OVER: its readings wait` : told
}

function policyText({ version, local, refused }: GatewayState['policy']): string {
  const told = version === 0 ? 'none: nobody may read' : `version ${version}${local ? ' (local)' : ''}`
  const counted = Object.entries(refused).filter(([, count]) => count > 0)
  if (counted.length === 0) return told
  return `${told}  refused: ${counted.map(([because, count]) => `${count} ${because}`).join(', ')}`
}

function statusText(state: GatewayState): string {
  const facts: [string, unknown][] = [
    ['gateway', `${state.gateway}  headgate ${state.version}  up ${Math.round(state.upSeconds)} s`],
    ['clock', `${state.clock.state}  ${state.clock.wall}`],
    ['policy', policyText(state.policy)],
    ...state.quotas.map((quota): [string, unknown] => ['quota', quotaText(quota)]),
    [
      'store',
      Object.entries(state.store)
        .map(([name, value]) => `${name} ${value}`)
        .join('  '),
    ],
    [
      'cloud',
      state.link === null
        ? 'not configured'
        : Object.entries(state.link)
            .map(([name, value]) => `${name} ${String(value)}`)
            .join('  '),
    ],
    [
      'streams',
      Object.entries(state.streams)
        .map(([name, s]) => `${name} ${s.acked}/${s.next - 1}`)
        .join('  '),
    ],
    [
      'broker',
      Object.entries(state.broker)
        .map(([name, value]) => `${name} ${value}`)
        .join('  '),
    ],
  ]
  return [
    ...facts.map(([name, value]) => `${name.padEnd(8)} ${String(value)}`),
    '',
    table(
      ['line', 'state', 'busy'],
      state.lines.map((line) => [line.id, line.state, percent(line.utilisation)]),
    ),
    '',
    table(
      ['device', 'organisation', 'health', 'reason'],
      state.devices.map((d) => [d.id, d.organisation, d.health, d.reason ?? '']),
    ),
    ...state.refused.map((r) => `refused: ${r.what} ${r.id}: ${r.code}: ${r.message}`),
  ].join('\n')
}

/** `headgate status` */
export async function status(where: Where): Promise<Answer> {
  const state = (await askGateway(await dataDirOf(where), '/v1/status')) as GatewayState
  return { json: state, text: statusText(state) }
}

/** `headgate sensors` */
export async function sensors(where: Where): Promise<Answer> {
  const facts = (await askGateway(await dataDirOf(where), '/v1/sensors')) as SensorFacts[]
  const rows = facts.flatMap((sensor) =>
    sensor.channels.map((c) => [
      `${sensor.device}/${sensor.sensor}`,
      sensor.organisation,
      c.channel,
      c.value === null ? '-' : String(c.value),
      c.unit,
      c.reason === null ? c.quality : `${c.quality} (${c.reason})`,
      c.takenAt,
    ]),
  )
  return {
    json: facts,
    text: table(['sensor', 'organisation', 'channel', 'value', 'unit', 'quality', 'taken'], rows),
  }
}

/** `headgate usage` */
export async function usage(where: Where): Promise<Answer> {
  const facts = (await askGateway(await dataDirOf(where), '/v1/usage')) as UsageFacts[]
  const rows = facts.map((u) => [
    u.organisation,
    u.subject,
    u.meter,
    u.generation,
    u.end,
    u.billable ? 'yes' : 'no',
  ])
  return {
    json: facts,
    text: table(['organisation', 'subject', 'meter', 'generation', 'register', 'billable'], rows),
  }
}
