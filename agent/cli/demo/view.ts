import type { GatewayState } from '../../local-api/state.ts'
import type { Terminal } from '../output.ts'

/** What the demo shows while it runs. */
export interface Scene {
  readonly leftSeconds: number
  /** Newest last. */
  readonly events: readonly string[]
  readonly gateway: GatewayState | undefined
  readonly answered: number
  readonly linkBytes: { readonly up: number; readonly down: number }
  /** Messages each organisation's client was given. */
  readonly watched: readonly { readonly organisation: string; readonly messages: number }[]
  readonly parts: readonly { readonly name: string; readonly running: boolean }[]
}

const EVENTS_SHOWN = 6
const LEVELS = '▁▂▃▄▅▆▇█'
const HISTORY = 40

const bar = (values: readonly number[]): string => {
  const most = Math.max(1, ...values)
  return values.map((value) => LEVELS[Math.min(7, Math.floor((value / most) * 7.99))] ?? ' ').join('')
}

/** Redraws in place on a terminal; elsewhere says one line every few seconds. */
export function createView(
  terminal: Terminal,
  options: { live: boolean; columns: number },
): { show(scene: Scene): void } {
  let drawn = 0
  let shows = 0
  let before = 0
  const rates: number[] = []
  return {
    show(scene) {
      shows += 1
      rates.push(Math.max(0, scene.answered - before))
      before = scene.answered
      if (rates.length > HISTORY) rates.shift()
      if (!options.live) {
        if (shows % 10 === 1) terminal.err(`${plainLine(scene)}\n`)
        return
      }
      const lines = sceneLines(scene, bar(rates)).map((line) => line.slice(0, options.columns - 1))
      terminal.err(
        `${drawn > 0 ? `\u001b[${drawn}A` : ''}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`,
      )
      drawn = lines.length
    },
  }
}

function plainLine(scene: Scene): string {
  const last = scene.events.at(-1) ?? ''
  return `${Math.max(0, Math.round(scene.leftSeconds))} s left, ${scene.answered} reads answered, ${scene.linkBytes.up} bytes up; ${last}`
}

function sceneLines(scene: Scene, rates: string): string[] {
  const { gateway } = scene
  const parts = scene.parts.map((part) => `${part.running ? '●' : '○'} ${part.name}`).join('  ')
  const devices =
    gateway?.devices.map((device) => `${device.id}:${device.health}`).join(' ') ?? 'gateway away'
  const line = gateway?.lines[0]
  const streams = Object.entries(gateway?.streams ?? {}).map(
    ([name, s]) => `${name} ${s.acked}/${s.next - 1}`,
  )
  const events = scene.events.slice(-EVENTS_SHOWN)
  return [
    `headgate demo   ${Math.max(0, Math.round(scene.leftSeconds))} s left   ${parts}`,
    `  answers   ${String(scene.answered).padStart(7)}  ${rates}`,
    `  line      ${line === undefined ? '-' : `${line.state}, busy ${(line.utilisation * 100).toFixed(0)} %`}`,
    `  devices   ${devices}`,
    `  link      ${scene.linkBytes.up} bytes up, ${scene.linkBytes.down} down; confirmed ${streams.join('  ')}`,
    `  clients   ${scene.watched.map((one) => `${one.organisation} ${one.messages}`).join('  ')}`,
    ...Array.from({ length: EVENTS_SHOWN }, (_, index) => `  ${events[index] ?? ''}`),
  ]
}
