import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LinkCounters } from '../../../agent/cellular/kernel.ts'
import { kept, remembered } from '../../../agent/cellular/memory.ts'
import { count, type LinkMemory, NO_MEMORY } from '../../../agent/cellular/register.ts'

/** A machine whose modem is moved about: what it says is what a kernel would say, and it knows the truth. */
class Machine {
  boot = 0
  ifindex = 2
  sim: string | null = 'SIM-0'
  present = true
  truth = 0n
  monoMs = 1000
  #rx = 0n
  #tx = 0n
  readonly #width: bigint

  constructor(counterBits: 32 | 64) {
    this.#width = 1n << BigInt(counterBits)
  }

  send(rx: bigint, tx: bigint): void {
    if (!this.present) return
    this.truth += rx + tx
    this.#rx = (this.#rx + rx) % this.#width
    this.#tx = (this.#tx + tx) % this.#width
  }

  replug(): void {
    this.ifindex += 2
    ;[this.#rx, this.#tx] = [0n, 0n]
    this.present = true
  }

  reboot(): void {
    this.boot += 1
    this.ifindex = 2
    this.monoMs = 500
    ;[this.#rx, this.#tx] = [0n, 0n]
    this.present = true
  }

  links(): LinkCounters[] {
    return this.present ? [{ iface: 'wwan0', ifindex: this.ifindex, rx: this.#rx, tx: this.#tx }] : []
  }
}

class Meter {
  memory: LinkMemory = NO_MEMORY
  total = 0n
  partial = 0
  readonly bySim = new Map<string | null, bigint>()
  readonly #machine: Machine
  readonly #bits: 32 | 64

  constructor(machine: Machine, bits: 32 | 64) {
    this.#machine = machine
    this.#bits = bits
  }

  look(): void {
    const { boot, ifindex, sim, monoMs } = this.#machine
    const scan = { bootId: `boot-${boot}`, topIfindex: ifindex + 1, links: this.#machine.links() }
    const counted = count(this.memory, { scan, monoMs, simOf: () => sim, counterBits: this.#bits })
    this.memory = counted.memory
    for (const { rx, tx, flags, sim: payer } of counted.deltas) {
      expect(rx >= 0n && tx >= 0n).toBe(true)
      this.total += rx + tx
      this.bySim.set(payer, (this.bySim.get(payer) ?? 0n) + rx + tx)
      if (flags.partial) this.partial += 1
    }
  }
}

function happen(
  machine: Machine,
  meter: Meter,
  one: { do: string; rx?: bigint; tx?: bigint },
  n: number,
): void {
  switch (one.do) {
    case 'send':
      machine.send(one.rx ?? 0n, one.tx ?? 0n)
      break
    case 'replug':
      machine.replug()
      break
    case 'reboot':
      machine.reboot()
      break
    case 'unplug':
      machine.present = false
      break
    case 'swap':
      machine.sim = `SIM-${n}`
      break
    // The meter starts again with what it kept, in the middle of everything.
    case 'restart':
      meter.memory = remembered(
        JSON.parse(JSON.stringify(kept({ links: meter.memory, uses: new Map() }))),
      ).links
      break
  }
}

/** Sixty of them stay below one turn of a 32-bit counter: with more, nobody could say how many turns there were. */
const SURE_BYTES = 70_000_000n

const stepsOf = (bytesMax: bigint) => {
  const bytes = fc.bigInt(0n, bytesMax)
  return fc.oneof(
    fc.record({ do: fc.constant('send'), rx: bytes, tx: bytes }),
    fc.record({ do: fc.constantFrom('replug', 'reboot', 'unplug', 'swap', 'restart') }),
  )
}

describe.each([32, 64] as const)('with a %i-bit source', (bits) => {
  test('I8 what is metered is what passed, over re-plug, boot, SIM swap and wrap, where every end was seen', () => {
    fc.assert(
      fc.property(fc.array(stepsOf(3_000_000_000n), { maxLength: 60 }), (steps) => {
        const machine = new Machine(bits)
        const meter = new Meter(machine, bits)
        meter.look()
        const sims = new Map<string | null, bigint>()
        for (const [n, one] of steps.entries()) {
          machine.monoMs += 10_000
          const before = machine.truth
          happen(machine, meter, one, n)
          const passed = machine.truth - before
          sims.set(machine.sim, (sims.get(machine.sim) ?? 0n) + passed)
          meter.look()
        }
        expect(meter.total).toBe(machine.truth)
        for (const [sim, passed] of sims) expect([sim, meter.bySim.get(sim) ?? 0n]).toEqual([sim, passed])
      }),
      { numRuns: 300 },
    )
  })

  test('I8 what was not seen before an end is missing, never doubled, and its window is flagged', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(stepsOf(SURE_BYTES), fc.boolean()), { maxLength: 60 }), (steps) => {
        const machine = new Machine(bits)
        const meter = new Meter(machine, bits)
        meter.look()
        let unseen = 0n
        let missing = 0n
        for (const [one, isSeen] of steps) {
          machine.monoMs += 10_000
          const before = machine.truth
          happen(machine, meter, one.do === 'swap' || one.do === 'unplug' ? { do: 'nothing' } : one, 0)
          unseen += machine.truth - before
          if (one.do === 'replug' || one.do === 'reboot') {
            missing += unseen
            unseen = 0n
          }
          if (!isSeen) continue
          meter.look()
          unseen = 0n
        }
        machine.send(1n, 0n)
        meter.look()
        expect(machine.truth - meter.total).toBe(missing)
        if (missing > 0n) expect(meter.partial).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })
})

describe('one link', () => {
  const at = (
    more: Partial<LinkCounters & { boot: string; top: number; sim: string | null; monoMs: number }>,
  ) => {
    const {
      boot = 'a',
      top = 9,
      sim = 'one',
      monoMs = 0,
      iface = 'wwan0',
      ifindex = 3,
      rx = 0n,
      tx = 0n,
    } = more
    const scan = { bootId: boot, topIfindex: top, links: [{ iface, ifindex, rx, tx }] }
    return { scan, monoMs, simOf: () => sim }
  }
  const after = (
    first: Parameters<typeof at>[0],
    second: Parameters<typeof at>[0],
    counterBits: 32 | 64 = 64,
  ) => {
    const { memory } = count(NO_MEMORY, { ...at(first), counterBits })
    return count(memory, { ...at(second), counterBits })
  }

  test('what passed before metering began is nobody’s', () => {
    expect(count(NO_MEMORY, { ...at({ rx: 5000n }), counterBits: 64 }).deltas).toEqual([])
  })

  test('a modem that comes later is counted from its first byte', () => {
    const { deltas } = after({ rx: 10n }, { iface: 'wwan1', ifindex: 12, top: 12, rx: 7n, tx: 2n })
    expect(deltas).toMatchObject([{ iface: 'wwan1', rx: 7n, tx: 2n, flags: { partial: false } }])
  })

  test('an interface that is only now called cellular is counted from now', () => {
    expect(after({ rx: 10n }, { iface: 'eth7', ifindex: 7, rx: 10_000n }).deltas).toEqual([])
  })

  const decreases = [
    [
      'a decrease of a 64-bit source is a new generation',
      64,
      { rx: 40n, tx: 1n, flags: { partial: true, reset: true } },
    ],
    [
      'a decrease of a declared 32-bit source is a wrap',
      32,
      { rx: 2n ** 32n - 100n + 40n, tx: 0n, flags: { partial: false, reset: false } },
    ],
  ] as const
  test.for(decreases)('%s', ([, bits, expected]) => {
    const { deltas } = after({ rx: 100n, tx: 1n }, { rx: 40n, tx: 1n, monoMs: 10_000 }, bits)
    expect(deltas).toMatchObject([expected])
  })

  test('a wrap after a long pause is flagged: there may have been two', () => {
    const { deltas } = after({ rx: 100n }, { rx: 40n, monoMs: 301_000 }, 32)
    expect(deltas[0]?.flags.partial).toBe(true)
  })

  test('an index that another boot gives again is another device', () => {
    const { deltas } = after({ rx: 100n }, { boot: 'b', rx: 150n })
    expect(deltas).toMatchObject([{ rx: 150n, flags: { partial: true, reset: true } }])
  })

  test('a SIM swapped in a running modem ends the interval; what cannot be divided is the old SIM’s and flagged', () => {
    const { deltas, swapped, memory } = after({ rx: 100n }, { rx: 150n, sim: 'two' })
    expect(swapped).toEqual(['wwan0'])
    expect(deltas).toMatchObject([{ sim: 'one', rx: 50n, flags: { partial: true } }])
    expect(memory.marks.get('wwan0')).toMatchObject({ sim: 'two', gen: 1 })
  })

  test('a modem that is silent for once keeps its SIM', () => {
    const { deltas, swapped } = after({ rx: 100n }, { rx: 150n, sim: null })
    expect([deltas[0]?.sim, swapped]).toEqual(['one', []])
  })

  test('I9 a scan without cellular links counts nothing and forgets nothing', () => {
    const { memory } = count(NO_MEMORY, { ...at({ rx: 100n }), counterBits: 64 })
    const none = {
      scan: { bootId: 'a', topIfindex: 40, links: [] },
      monoMs: 5,
      simOf: () => null,
      counterBits: 64,
    } as const
    const later = count(memory, none)
    expect(later.deltas).toEqual([])
    expect(count(later.memory, { ...at({ rx: 130n, top: 40 }), counterBits: 64 }).deltas).toMatchObject([
      { rx: 30n },
    ])
  })

  test('flags wait for bytes to be on', () => {
    const { memory, deltas } = after({ rx: 100n }, { ifindex: 11, top: 11 })
    expect(deltas).toEqual([])
    const next = count(memory, { ...at({ ifindex: 11, top: 11, rx: 5n }), counterBits: 64 })
    expect(next.deltas).toMatchObject([{ rx: 5n, flags: { partial: true, reset: true } }])
  })
})
