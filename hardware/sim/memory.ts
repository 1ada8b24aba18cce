import {
  encodeValue,
  isBitTable,
  packBits,
  type ReadChannel,
  registersOf,
  type Table,
} from '../modbus/index.ts'

const ADDRESSES = 0x10000

/** The four tables of one simulated device. A place that nobody defined does not exist. */
export class Memory {
  readonly #tables: Record<Table, Map<number, number>> = {
    coil: new Map(),
    discrete: new Map(),
    holding: new Map(),
    input: new Map(),
  }

  /** Makes places exist, with zeros where they are new. */
  define(table: Table, address: number, count: number): void {
    const places = this.#tables[table]
    for (let at = address; at < Math.min(address + count, ADDRESSES); at += 1) {
      if (!places.has(at)) places.set(at, 0)
    }
  }

  /** True where every place of the range exists. */
  has(table: Table, address: number, count: number): boolean {
    for (let at = address; at < address + count; at += 1) if (!this.#tables[table].has(at)) return false
    return true
  }

  /** True where the range touches the span between the first and the last place of the table. */
  spans(table: Table, address: number, count: number): boolean {
    const places = [...this.#tables[table].keys()]
    return places.length > 0 && address >= Math.min(...places) && address + count - 1 <= Math.max(...places)
  }

  get(table: Table, address: number): number {
    return this.#tables[table].get(address) ?? 0
  }

  set(table: Table, address: number, value: number): void {
    this.#tables[table].set(address, value & 0xffff)
  }

  /** The answer's data bytes for a read. */
  bytes(table: Table, address: number, count: number): Uint8Array {
    const values = Array.from({ length: count }, (_, at) => this.get(table, address + at))
    if (isBitTable(table)) return packBits(values.map((value) => value !== 0))
    return Uint8Array.from(values.flatMap((value) => [value >> 8, value & 0xff]))
  }

  /** Puts a channel's value where the channel is; a bit field leaves its neighbours alone. */
  store(channel: ReadChannel, value: number | bigint | string): void {
    const { table, address } = channel
    const count = registersOf(channel.value)
    if (isBitTable(table)) {
      this.set(table, address, Number(value) === 0 ? 0 : 1)
      return
    }
    const bytes = encodeValue(channel.value, value, this.bytes(table, address, count))
    for (let at = 0; at < count; at += 1) {
      this.set(table, address + at, ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0))
    }
  }
}
