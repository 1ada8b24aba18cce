import { isBitTable, type Table } from './pdu.ts'
import { registersOf, type ValueSpec } from './value.ts'

/** A channel that is read from the device, with its place. */
export interface ReadChannel {
  readonly id: string
  readonly table: Table
  /** Address as on the wire, from 0. */
  readonly address: number
  readonly value: ValueSpec
}

/** Channels that one read brings. */
export interface Block {
  readonly table: Table
  readonly address: number
  /** Registers, or bits of a bit table. */
  readonly count: number
  readonly channels: readonly ReadChannel[]
}

export interface BlockLimits {
  /** Registers in one read. */
  readonly maxRegs: number
  /** Coils or discrete inputs in one read. */
  readonly maxBits: number
  /** Unasked registers or bits between two channels of one read. */
  readonly maxHole: number
}

const byPlace = (a: ReadChannel, b: ReadChannel): number =>
  a.table === b.table ? a.address - b.address : a.table < b.table ? -1 : 1

function joined(block: Block, channel: ReadChannel, limits: BlockLimits): Block | undefined {
  const end = block.address + block.count
  if (block.table !== channel.table || channel.address - end > limits.maxHole) return undefined
  const count = Math.max(block.count, channel.address + registersOf(channel.value) - block.address)
  const most = isBitTable(block.table) ? limits.maxBits : limits.maxRegs
  if (count > most) return undefined
  return { ...block, count, channels: [...block.channels, channel] }
}

/**
 * Joins channels to as few reads as the limits allow, in order of their addresses. A channel of `splits` begins a
 * read of its own: a device had refused it together with what lies before it.
 */
export function blocksOf(
  channels: readonly ReadChannel[],
  limits: BlockLimits,
  splits: ReadonlySet<string>,
): Block[] {
  const blocks: Block[] = []
  for (const channel of channels.toSorted(byPlace)) {
    const last = blocks.at(-1)
    const grown = last === undefined || splits.has(channel.id) ? undefined : joined(last, channel, limits)
    if (grown !== undefined) blocks[blocks.length - 1] = grown
    else {
      const { table, address } = channel
      blocks.push({ table, address, count: registersOf(channel.value), channels: [channel] })
    }
  }
  return blocks
}
