import type { DirectoryReader, DirectoryRow } from '../../storage/index.ts'
import { sha256, ZERO } from '../kernel/log.ts'
import type { Writing } from '../kernel/write.ts'

/** Notes whose a gateway is from this epoch on, chained to the epoch before; the caller holds the chain of `to`. */
export async function recordOwnership(
  writing: Writing,
  {
    gateway,
    epoch,
    from,
    to,
    acknowledged,
  }: {
    gateway: string
    epoch: number
    from: string | null
    to: string
    /** SHA-256 of the message with which the gateway said that it has cut; null where nobody asked it. */
    acknowledged: string | null
  },
): Promise<void> {
  const before = await writing.read.get('ownership_entry', { gateway, epoch: epoch - 1 })
  const prev = before?.hash ?? ZERO
  const entry = JSON.stringify({ v: 1, gateway, epoch, from, to, at: writing.at, prev, acknowledged })
  await writing.put('ownership_entry', { gateway, epoch, org: to, prev, hash: sha256(entry), entry })
}

/** A gateway with what its owner has on it. */
export interface Held {
  readonly gateway: DirectoryRow<'gateway'>
  /** The owner's devices; guests' are not among them. */
  readonly devices: readonly DirectoryRow<'device'>[]
}

export async function heldOn(read: DirectoryReader, id: string): Promise<Held | undefined> {
  const gateway = await read.get('gateway', { id })
  if (gateway === undefined) return undefined
  const devices = await read.find(
    'device',
    { gateway: id, org: gateway.org, state: 'active' },
    { orderBy: ['path'] },
  )
  return { gateway, devices }
}

/** The rows of a gateway after the cut: another owner, the next epoch, nobody's custody; guests are as they were. */
export function afterCut(
  { gateway, devices }: Held,
  { to_org, to_workspace, owner_epoch }: DirectoryRow<'gateway_transfer'>,
): Held {
  const placed = { org: to_org, workspace: to_workspace, custodian: null }
  return {
    gateway: { ...gateway, ...placed, owner_epoch, state: 'claimed' },
    devices: devices.map((device) => ({ ...device, ...placed, owner_epoch: device.owner_epoch + 1 })),
  }
}

/**
 * The transfer of a gateway that its new owner has accepted and the gateway has not acknowledged; undefined also where
 * that owner is no more: a gateway does not become nobody's. What somebody gave who has it no more, or before it was
 * somebody else's, gives nothing.
 */
export async function acceptedTransfer(
  read: DirectoryReader,
  gateway: string,
): Promise<DirectoryRow<'gateway_transfer'> | undefined> {
  const row = await read.get('gateway', { id: gateway, state: 'claimed' })
  if (row === undefined) return undefined
  const transfer = await openTransferOf(read, row, ['accepted', 'settling'])
  return transfer === undefined || (await isGone(read, transfer.to_org)) ? undefined : transfer
}

type TransferState = DirectoryRow<'gateway_transfer'>['state']

/** Of these states, by its present owner and to the next epoch. */
export const openTransferOf = (
  read: DirectoryReader,
  { id: gateway, org, owner_epoch }: DirectoryRow<'gateway'>,
  state: readonly TransferState[],
): Promise<DirectoryRow<'gateway_transfer'> | undefined> =>
  read.get('gateway_transfer', { gateway, org, owner_epoch: owner_epoch + 1, state })

export const isGone = async (read: DirectoryReader, org: string): Promise<boolean> =>
  (await read.get('organisation', { id: org, state: ['active', 'suspended'] })) === undefined

/**
 * What the next snapshot of a gateway must show so that it cuts: the rows of the new owner with the next epoch. Undefined
 * where no transfer is accepted: then it shows the rows as they are. Until the gateway acknowledges, decisions in the
 * cloud go by the rows as they are.
 */
export async function pendingCut(
  read: DirectoryReader,
  gateway: string,
): Promise<(Held & { readonly transfer: string }) | undefined> {
  const transfer = await acceptedTransfer(read, gateway)
  const held = transfer === undefined ? undefined : await heldOn(read, gateway)
  if (transfer === undefined || held === undefined) return undefined
  return { ...afterCut(held, transfer), transfer: transfer.id }
}
