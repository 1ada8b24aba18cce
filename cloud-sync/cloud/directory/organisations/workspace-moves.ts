import type { DirectoryRow } from '../../storage/index.ts'
import type { Writing } from '../kernel/write.ts'

const MOVING = ['accepted', 'settling', 'done'] as const

/**
 * Moves the workspace when the last of its gateways has cut, but for those that go another way; the caller holds the chains
 * of both sides.
 */
export async function workspaceArrives(writing: Writing, id: string): Promise<void> {
  const { read } = writing
  const transfer = await read.get('workspace_transfer', { id, state: 'settling' })
  if (transfer === undefined) return
  const moved = await read.find('gateway_transfer', { workspace_transfer: id, state: MOVING })
  if (moved.some(({ state }) => state !== 'done')) return
  await moveWorkspace(writing, transfer)
  const { to_org: org, workspace } = transfer
  for (const { gateway: path } of moved) {
    const gateway = await read.get('gateway', { id: path, org })
    if (gateway !== undefined) await writing.put('gateway', { ...gateway, workspace })
    for (const device of await read.find('device', { gateway: path, org, state: 'active' }))
      await writing.put('device', { ...device, workspace })
  }
}

/** The workspace is the other organisation's; every role in it ends. */
export async function moveWorkspace(
  writing: Writing,
  transfer: DirectoryRow<'workspace_transfer'>,
): Promise<void> {
  const { org, to_org, workspace: id } = transfer
  const row = await writing.read.get('workspace', { id, org, state: 'active' })
  if (row !== undefined) await writing.put('workspace', { ...row, org: to_org })
  const held = { org, resource_kind: 'workspace', resource: id, state: 'live' } as const
  for (const grant of await writing.read.find('grant', held))
    await writing.put('grant', { ...grant, state: 'revoked' })
  await writing.put('workspace_transfer', { ...transfer, state: 'done' })
}
