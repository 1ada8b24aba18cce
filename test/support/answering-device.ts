import type { Wire } from '../../hardware/sim/wire.ts'
import { heldValue, isWhole, readAnswer } from './rtu.ts'

/** A device on a wire that answers function 3 with `heldValue`, `thinkMs` after the silence that ends a request. */
export function joinDevice(wire: Wire, thinkMs: number): void {
  const port = wire.join('device')
  let heard: number[] = []
  let lastAt = 0
  port.onBytes((bytes, at) => {
    // A silence begins a new frame; what was incomplete before it is nothing.
    if (at - bytes.length * wire.timing.characterMs - lastAt > wire.timing.t35Ms) heard = []
    lastAt = at
    heard.push(...bytes)
    const [unit = 0, , high = 0, low = 0, , count = 0] = heard
    if (heard.length !== 8 || !isWhole(Uint8Array.from(heard))) return
    heard = []
    // Unit 0 speaks to all, and nobody answers.
    if (unit === 0) return
    const values = Array.from({ length: count }, (_, index) => heldValue(unit, high * 256 + low + index))
    port.send(readAnswer(unit, values), at + wire.timing.t35Ms + thinkMs)
  })
}
