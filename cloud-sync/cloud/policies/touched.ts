import { z } from 'zod'
import type { GatewayId } from '../../contract/index.ts'
import type { DirectoryReader } from '../storage/index.ts'
import type { LogEntry } from './follow.ts'

const Row = z.record(z.string(), z.unknown())
const Ops = z.object({ ops: z.array(z.object({ table: z.string(), row: Row })) })

/** Rows of these are in no policy. */
const NO_EFFECT: ReadonlySet<string> = new Set([
  'invitation',
  'alert_opt_out',
  'workspace_add_on',
  'foreign_id',
  'platform_operator',
  'platform_feature',
  'component',
  'component_device',
  'ownership_entry',
  'gateway_change',
])

/** What an entry of the log may change: gateways that it names, and every gateway that knows one of these organisations. */
export interface Touched {
  readonly gateways: ReadonlySet<GatewayId>
  readonly organisations: ReadonlySet<string>
}

/** Too many rather than too few: each gateway is compared afterwards. */
export async function touchedBy(read: DirectoryReader, entries: readonly LogEntry[]): Promise<Touched> {
  const gateways = new Set<GatewayId>()
  const organisations = new Set<string>()
  const users = new Set<string>()
  for (const { chain, entry } of entries) {
    const ops = Ops.parse(JSON.parse(entry)).ops.filter(({ table }) => !NO_EFFECT.has(table))
    if (ops.length === 0) continue
    const [kind, name = ''] = chain.split(':')
    if (kind === 'org') organisations.add(name)
    if (kind === 'user') users.add(name)
    for (const { table, row } of ops) {
      const named = gatewayIn(table, row)
      if (named !== undefined) gateways.add(named)
    }
  }
  for (const { org } of await read.find('membership', { user: [...users] })) organisations.add(org)
  return { gateways, organisations }
}

/** A gateway that may not have known the organisation before. */
function gatewayIn(table: string, row: z.infer<typeof Row>): GatewayId | undefined {
  switch (table) {
    case 'gateway':
      return text(row['id'])
    case 'device':
    case 'gateway_transfer':
    case 'gateway_heard':
    case 'gateway_block':
    case 'quota_share':
      return text(row['gateway'])
    case 'grant':
      return row['resource_kind'] === 'workspace'
        ? undefined
        : (text(row['resource'])?.split('/')[0] as GatewayId)
    default:
      return undefined
  }
}

const text = (value: unknown): GatewayId | undefined =>
  typeof value === 'string' ? (value as GatewayId) : undefined
