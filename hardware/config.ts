import type { Calibration } from './profile/calibration.ts'

export const FORMATS = ['8N1', '8E1', '8O1', '8N2', '7N1', '7E1', '7O1', '7N2', '7E2', '7O2'] as const
export type Format = (typeof FORMATS)[number]

/** YAML reads an unquoted 8E1 as the number 80. */
const FORMATS_AS_NUMBERS: ReadonlyMap<unknown, Format> = new Map([
  [7e1, '7E1'],
  [7e2, '7E2'],
  [8e1, '8E1'],
])

/** Gives a format that a YAML parser took for a number its name back; everything else stays as it is. */
export const formatName = (value: unknown): unknown => FORMATS_AS_NUMBERS.get(value) ?? value

/** Where the bytes go: a device path, a USB identity that survives re-enumeration, or a serial device server. */
export type LinePort =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'usb'; readonly vendor: string; readonly product: string; readonly serial?: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

export interface LineConfig {
  readonly id: string
  readonly port: LinePort
  /** Bits a second. */
  readonly baud: number
  readonly format: Format
}

export interface DeviceConfig {
  readonly id: string
  /** Id of its line. */
  readonly line: string
  /** Bus address, 1 to 247 for Modbus. */
  readonly address: number
  /** Text of the profile file, so that the child process needs no file. */
  readonly profile: string
  /** Interval of its polls, milliseconds. */
  readonly everyMs: number
  /** All versions of this instance's calibration, any order. */
  readonly calibrations: readonly Calibration[]
}

/** Everything the hardware process is told; plain data, it crosses a process border. */
export interface HardwareConfig {
  readonly lines: readonly LineConfig[]
  readonly devices: readonly DeviceConfig[]
}
