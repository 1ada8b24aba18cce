import type { DirectoryRow } from '../../storage/index.ts'
import type { Writing } from '../kernel/write.ts'

/**
 * Takes a device off its gateway. Whatever was shown of it and of its sensors ends: another device of this name, or the
 * same one that goes on being read there, is nobody's to see by an older share.
 */
export async function takeAway(writing: Writing, device: DirectoryRow<'device'>): Promise<void> {
  await writing.put('device', { ...device, state: 'removed' })
  const { gateway, org, path } = device
  for (const grant of await writing.read.grantsReaching(gateway, [])) {
    const isOfIt = grant.resource === path || grant.resource.startsWith(`${path}/`)
    if (isOfIt && grant.org === org) await writing.put('grant', { ...grant, state: 'revoked' })
  }
}

/** An owner's devices go with their gateway; guests keep theirs. */
export async function takeAwayAll(writing: Writing, { id, org }: DirectoryRow<'gateway'>): Promise<void> {
  for (const device of await writing.read.find('device', { gateway: id, org, state: 'active' }))
    await takeAway(writing, device)
}
