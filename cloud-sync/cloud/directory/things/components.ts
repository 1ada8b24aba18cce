import { z } from 'zod'
import type { DirectoryRow } from '../../storage/index.ts'
import { notFound, refuse } from '../errors.ts'
import { demand } from '../kernel/authority.ts'
import { DevicePath, Id, OrgId, Title } from '../kernel/words.ts'
import { type Asking, command, orgChain, query, type Writing } from '../kernel/write.ts'
import { actorsRights } from '../organisations/having.ts'

const OfComponent = z.strictObject({ org: OrgId, component: Id })

/** What a device serves, e.g. a pump or a tank; it keeps its name and history while devices come and go. */
export const create = command({
  name: 'component.create',
  input: z.strictObject({ org: OrgId, name: Title, device: DevicePath }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, name, device }) {
    await assertLinkable(writing, org, device)
    const id = writing.world.newId()
    const row = { id, org, name, device: null, state: 'active', created_at: writing.at } as const
    await serve(writing, row, device)
    return { component: id }
  },
})

/**
 * Another device takes over. The old one is unlinked but stays: until it is removed too, its offline and low-battery
 * alerts go on.
 */
export const swap = command({
  name: 'component.swap',
  input: OfComponent.extend({ device: DevicePath }),
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, component, device }) {
    await assertLinkable(writing, org, device)
    const row = await componentOf(writing, org, component)
    if (row.device !== null) await demand(writing, 'device.config', { org, thing: deviceAt(row.device) })
    await rest(writing, row)
    await serve(writing, row, device)
    return { component, device, before: row.device }
  },
})

/** It is no more; the device that served it may be removed then. */
export const remove = command({
  name: 'component.delete',
  input: OfComponent,
  chains: ({ org }) => [orgChain(org)],
  async run(writing, { org, component }) {
    await demand(writing, 'org.read', { org })
    const row = await componentOf(writing, org, component)
    if (row.device !== null) await demand(writing, 'device.config', { org, thing: deviceAt(row.device) })
    await rest(writing, row)
    await writing.put('component', { ...row, device: null, state: 'deleted' })
    return { component }
  },
})

/** Components of devices that the actor may see, with what has served them, the newest last. */
export const list = query({
  input: z.strictObject({ org: OrgId }),
  async run(asking, { org }) {
    await demand(asking, 'org.read', { org })
    const rows = await asking.read.find('component', { org, state: 'active' }, { orderBy: ['id'] })
    const has = actorsRights(asking)
    const seen: boolean[] = []
    for (const { device } of rows)
      seen.push(device !== null && (await has(org, 'device', device)).has('data.read'))
    const served = await asking.read.find('component_device', { org }, { orderBy: ['since'] })
    return rows
      .filter((_row, index) => seen[index] === true)
      .map(({ id, name, device }) => ({
        id,
        name,
        device,
        history: served
          .filter(({ component }) => component === id)
          .map((line) => ({ device: line.device, since: line.since, until: line.until })),
      }))
  },
})

/** A device that serves a component is swapped first: throws DIRECTORY_EXISTS. */
export async function assertUnlinked({ read }: Asking, org: string, device: string): Promise<void> {
  const linked = await read.get('component', { org, device, state: 'active' })
  if (linked !== undefined)
    refuse('DIRECTORY_EXISTS', `${device} serves ${linked.name}: swap it for another device first`)
}

const deviceAt = (resource: string) => ({ kind: 'device', resource }) as const

async function assertLinkable(writing: Writing, org: string, device: string): Promise<void> {
  await demand(writing, 'device.config', { org, thing: deviceAt(device) })
  await assertUnlinked(writing, org, device)
}

async function serve(writing: Writing, row: DirectoryRow<'component'>, device: string): Promise<void> {
  await writing.put('component', { ...row, device })
  const { id: component, org } = row
  await writing.put('component_device', { component, org, device, since: writing.at, until: null })
}

/** The device serves nothing any more. */
export async function restFrom(writing: Writing, org: string, device: string): Promise<void> {
  for (const row of await writing.read.find('component', { org, device, state: 'active' })) {
    await rest(writing, row)
    await writing.put('component', { ...row, device: null })
  }
}

async function rest(writing: Writing, { id, org }: DirectoryRow<'component'>): Promise<void> {
  for (const line of await writing.read.find('component_device', { component: id, org, until: null }))
    await writing.put('component_device', { ...line, until: writing.at })
}

async function componentOf({ read }: Asking, org: string, id: string): Promise<DirectoryRow<'component'>> {
  return (await read.get('component', { id, org, state: 'active' })) ?? notFound('component')
}
