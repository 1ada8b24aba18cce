import { z } from 'zod'
import { NOBODY, type Organisation, Preset } from '../../../contract/index.ts'
import type { DirectoryRow } from '../../storage/index.ts'
import { refuse } from '../errors.ts'
import { foldName } from '../kernel/fold.ts'
import { packOf } from '../kernel/presets.ts'
import { Description, LogoUrl, OrgId, Title } from '../kernel/words.ts'
import type { Writing } from '../kernel/write.ts'
import { assertRolledOut } from './platform.ts'

/** An organisation that is to be: its id is its handle for ever, its name need not be unique. */
export const NewOrganisation = z.strictObject({
  id: OrgId,
  name: Title,
  description: Description.default(''),
  logoUrl: LogoUrl.default(''),
  preset: Preset.default('headgate'),
  type: z.enum(['standard', 'partner', 'personal']).default('standard'),
})
export type NewOrganisation = z.infer<typeof NewOrganisation>

interface Founding extends Omit<NewOrganisation, 'type'> {
  readonly type: z.infer<typeof Organisation>['type']
  /** Who owns it; undefined where an invitation is out. */
  readonly owner: string | undefined
  readonly workspace?: string | undefined
}

/** The organisation, its owner and its first workspace; the caller holds its chain and the owner's. */
export async function foundOrganisation(
  writing: Writing,
  { id, name, description, logoUrl, preset, type, owner, workspace }: Founding,
): Promise<{ id: string; workspace: string | null }> {
  const { at, read } = writing
  if (type === 'partner') await assertRolledOut(read, 'partners')
  if (id === NOBODY || (await read.get('organisation', { id })))
    refuse('DIRECTORY_EXISTS', `the handle ${id} is taken`)
  await writing.put('organisation', {
    id,
    name,
    name_key: foldName(name),
    type,
    visibility: 'private',
    billing: 'inApp',
    preset,
    description,
    logo_url: logoUrl,
    quotas: '{}',
    billing_zones: '[]',
    state: 'active',
    created_at: at,
    ended_at: null,
  })
  if (owner !== undefined) {
    await assertFree(writing, owner, { id, preset, type })
    await writing.put('membership', {
      org: id,
      user: owner,
      role: type === 'customer' ? 'customer-owner' : 'owner',
      billing: 1,
      custom: null,
      incarnation: 1,
      state: 'active',
      since: at,
    })
  }
  if (workspace === undefined) return { id, workspace: null }
  const added = await addWorkspace(writing, {
    org: id,
    name: workspace,
    type: type === 'customer' ? 'system' : 'project',
    by: owner ?? 'platform',
  })
  return { id, workspace: added.id }
}

/** A workspace; names may repeat, ids do not (S3.10). */
export async function addWorkspace(
  writing: Writing,
  {
    org,
    name,
    type,
    by,
    quotas = '{}',
  }: { org: string; name: string; type: DirectoryRow<'workspace'>['type']; by: string; quotas?: string },
): Promise<DirectoryRow<'workspace'>> {
  const row = {
    id: writing.world.newId(),
    org,
    type,
    name,
    description: '',
    logo_url: '',
    quotas,
    state: 'active' as const,
    created_by: by,
    created_at: writing.at,
  }
  await writing.put('workspace', row)
  return row
}

/** Where the vocabulary knows one organisation a person, they must be in no other of it (S0.7); their chain is held. */
export async function assertFree(
  { read }: Writing,
  user: string,
  { id, preset, type }: Pick<DirectoryRow<'organisation'>, 'id' | 'preset' | 'type'>,
): Promise<void> {
  if (!packOf({ preset, type }).singleOrganisation) return
  const others = await read.find('membership', { user, state: ['active', 'suspended'] })
  for (const { org } of others) {
    if (org === id) continue
    const other = await read.get('organisation', { id: org })
    if (other?.preset === preset && other.state === 'active')
      refuse('DIRECTORY_PRESET_FORBIDS', `${user} is in another organisation already`)
  }
}
