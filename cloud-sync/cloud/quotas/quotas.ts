import { nextQuota, type Quota, type QuotaStep } from '../billing/index.ts'
import type { OrgId, WorkspaceId } from '../../contract/index.ts'
import {
  type Limited,
  limitsOf,
  type MeteredUse,
  monthAt,
  type OrgDirectory,
  quotaMails,
  sumOf,
  type WorkspaceUsage,
} from '../directory/index.ts'
import type { Log } from '../log.ts'
import type { DirectoryReader, DirectoryRow, DirectoryStore } from '../storage/index.ts'
import { newShares } from './split.ts'

/** How often it is asked whether anything changed, ms. */
const LOOK_MS = 2_000
/** A look at usage waits so many times longer than the last one took: it never costs more than a twentieth. */
const PAUSE_TIMES = 20

export interface QuotasSettings {
  readonly store: DirectoryStore
  readonly directory: OrgDirectory
  readonly usage: WorkspaceUsage
  readonly log: Log
  /** Wall clock, epoch ms. */
  readonly now: () => number
  readonly monoMs: () => number
  readonly newId: () => string
}

/** Limits of workspaces as the ledger and the directory stand: shares for their gateways, and who is warned. */
export interface Quotas {
  /** Something was posted; it is looked at soon. */
  posted(): void
  /** Compares everything now. */
  look(): Promise<void>
  stop(): Promise<void>
}

type Workspace = DirectoryRow<'workspace'>

/** Follows the directory's log and what is posted until it is stopped. */
export function startQuotas(settings: QuotasSettings): Quotas {
  const { store, log, monoMs, now } = settings
  let isDirty = true
  let seen = -1
  let seenMonth = ''
  let notBefore = 0
  let tail: Promise<void> = Promise.resolve()

  const lookAtAll = async (): Promise<void> => {
    const began = monoMs()
    isDirty = false
    for (const { organisation, workspaces } of await limited(store.read))
      await lookAt(settings, organisation, workspaces)
    notBefore = monoMs() + PAUSE_TIMES * (monoMs() - began)
  }
  const lookIfChanged = async (): Promise<void> => {
    const [last] = await store.read.find(
      'policy_log',
      {},
      { orderBy: ['position'], descending: true, limit: 1 },
    )
    const position = last?.position ?? 0
    const month = monthMark(now())
    const isNew = position !== seen || month !== seenMonth
    if (!isNew && (!isDirty || monoMs() < notBefore)) return
    await lookAtAll()
    // What the look itself wrote is seen the next time, and changes nothing.
    seen = position
    seenMonth = month
  }
  const take = (work: () => Promise<void>): Promise<void> => {
    const turn = tail.then(work)
    tail = turn.catch((error: unknown) => {
      isDirty = true
      log.error({ err: error }, 'limits of workspaces could not be looked at; tried again')
    })
    return turn
  }
  let isWaiting = false
  const timer = setInterval(() => {
    if (isWaiting) return
    isWaiting = true
    take(lookIfChanged)
      .catch(() => undefined)
      .finally(() => {
        isWaiting = false
      })
  }, LOOK_MS).unref()
  return {
    posted() {
      isDirty = true
    },
    look: () => take(lookAtAll),
    async stop() {
      clearInterval(timer)
      await tail
    },
  }
}

const HOUR_MS = 3_600_000
const QUARTER_MS = HOUR_MS / 4

/** Another one whenever a month may have begun somewhere: zones are from 12 hours behind to 14 ahead, by quarters. */
function monthMark(at: number): string {
  const utc = (ms: number): string => new Date(ms).toISOString().slice(0, 7)
  const [last, first] = [utc(at - 12 * HOUR_MS), utc(at + 14 * HOUR_MS)]
  return last === first ? first : `${first} ${Math.floor(at / QUARTER_MS)}`
}

interface OfOrganisation {
  readonly organisation: DirectoryRow<'organisation'>
  readonly workspaces: readonly Workspace[]
}

/** Organisations with workspaces that may have a limit, or had one. */
async function limited(read: DirectoryReader): Promise<OfOrganisation[]> {
  const all = await read.find('workspace', { state: 'active' }, { orderBy: ['id'] })
  const shared = new Set((await read.find('quota_share', {})).map(({ workspace }) => workspace))
  const bought = new Set(
    (await read.find('workspace_add_on', { state: 'active' })).map(({ workspace }) => workspace),
  )
  const organisations = await read.find('organisation', { state: ['active', 'suspended'] })
  return organisations.flatMap((organisation) => {
    const hasIncluded = organisation.quotas.includes('"included.')
    const workspaces = all.filter(
      ({ id, org, quotas }) =>
        org === organisation.id && (hasIncluded || quotas !== '{}' || shared.has(id) || bought.has(id)),
    )
    return workspaces.length === 0 ? [] : [{ organisation, workspaces }]
  })
}

async function lookAt(
  settings: QuotasSettings,
  organisation: OfOrganisation['organisation'],
  workspaces: readonly Workspace[],
): Promise<void> {
  const { store, usage, now } = settings
  const limits = await limitsOf(store.read, organisation, workspaces)
  const month = monthAt(now(), organisation)
  const meters = [...new Set(limits.map(({ meter }) => meter))]
  const use = limits.length === 0 ? [] : await usage.ofMonth({ org: organisation.id, month, meters })
  for (const limit of limits) await warn(settings, { organisation, limit, month, use })
  for (const workspace of workspaces) {
    const own = limits.filter((one) => one.workspace.id === workspace.id)
    await share(settings, { workspace, limits: own, use })
  }
}

/** Once for each step of the month, whatever happens to the limit meanwhile: the row and the mails are one write. */
async function warn(
  settings: QuotasSettings,
  {
    organisation,
    limit: { workspace, meter, limit },
    month,
    use,
  }: {
    organisation: OfOrganisation['organisation']
    limit: Limited
    month: string
    use: readonly MeteredUse[]
  },
): Promise<void> {
  const { store, log, now, newId } = settings
  const used = sumOf(use, { workspace: workspace.id, meter })
  const where = { workspace: workspace.id, meter, period: month }
  const known = (rows: readonly { step: number }[]): Quota => ({
    org: organisation.id as OrgId,
    workspace: workspace.id as WorkspaceId,
    period: month,
    limit,
    used,
    warned: rows.map(({ step }) => step as QuotaStep),
  })
  const stepsOf = async (read: DirectoryReader): Promise<readonly QuotaStep[]> => {
    const quota = known(await read.find('quota_warning', where))
    return nextQuota(quota, { event: 'used', period: month, total: used }).warnings
  }
  if ((await stepsOf(store.read)).length === 0) return
  await store.transaction(async (tx) => {
    await tx.exclusively(`quota:${workspace.id}`)
    // Looked at again, now that nobody else can warn.
    const steps = await stepsOf(tx)
    const highest = steps.at(-1)
    if (highest === undefined) return
    const at = now()
    const row = { ...where, org: organisation.id, used: used.toString(), limit: limit.toString(), at }
    for (const step of steps) await tx.put('quota_warning', { ...row, step })
    // Several steps at once are one mail, about the highest.
    const mails = await quotaMails(tx, { organisation, workspace, meter, step: highest, at })
    for (const { to, subject, body } of mails)
      await tx.put('mail', {
        ...{ id: newId(), recipient: to, subject, body, created_at: at, next_try_at: at },
        ...{ tries: 0, sent_at: null },
      })
    log.info({ workspace: workspace.id, meter, step: highest, mails: mails.length }, 'a limit is near')
  })
}

/** Gateways that serve the workspace: it holds them, or a device on them. */
async function gatewaysOf(read: DirectoryReader, { id, org }: Workspace): Promise<string[]> {
  const devices = await read.find('device', { org, workspace: id, state: 'active' })
  const gateways = await read.find('gateway', { org, workspace: id })
  return [...new Set([...devices.map(({ gateway }) => gateway), ...gateways.map((one) => one.id)])].sort()
}

async function share(
  { store, directory, log, newId }: QuotasSettings,
  {
    workspace,
    limits,
    use,
  }: { workspace: Workspace; limits: readonly Limited[]; use: readonly MeteredUse[] },
): Promise<void> {
  const { id, org } = workspace
  const rows = await store.read.find('quota_share', { workspace: id })
  const gateways = limits.length === 0 ? [] : await gatewaysOf(store.read, workspace)
  const changes: boolean[] = []
  const shares = limits.flatMap(({ meter, limit }) => {
    const present = new Map(
      rows.filter((row) => row.meter === meter).map((row) => [row.gateway, BigInt(row.amount)]),
    )
    const standing = gateways.map((gateway) => ({
      gateway,
      used: sumOf(
        use.filter((one) => one.gateway === gateway),
        { workspace: id, meter },
      ),
      share: present.get(gateway) ?? null,
    }))
    const fresh = newShares(limit, standing)
    changes.push(fresh !== undefined)
    return gateways.map((gateway) => ({
      gateway,
      meter,
      amount: Number(fresh?.get(gateway) ?? present.get(gateway) ?? 0n),
    }))
  })
  if (!changes.includes(true) && rows.length === shares.length && rows.every((row) => row.org === org)) return
  const call = { actor: { kind: 'operator', name: 'cloud' }, key: `quota-${newId()}` } as const
  const outcome = await directory.write.quotas.split(call, { org, workspace: id, shares } as never)
  if (!outcome.ok) throw new Error(`the shares of ${id} were refused: ${outcome.message}`)
  log.info({ workspace: id, gateways: gateways.length }, 'a limit is divided anew')
}
