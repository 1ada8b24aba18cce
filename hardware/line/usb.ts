import { existsSync, readFileSync, readdirSync, realpathSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { LinePort } from '../config.ts'

/** From a tty's own folder up to its USB device: interface, port and driver lie between. */
const LEVELS_MAX = 6

/**
 * The device path of the tty with this USB identity, or null where none is plugged in. Names like ttyUSB0 change with
 * the order of plugging, the identity does not. An adapter with several ports gives its first.
 * Synchronous: the kernel answers from memory, in microseconds.
 */
export function findUsbTty(
  wanted: Extract<LinePort, { kind: 'usb' }>,
  { sys = '/sys', dev = '/dev' }: { sys?: string; dev?: string } = {},
): string | null {
  const classFolder = join(sys, 'class/tty')
  if (!existsSync(classFolder)) return null
  const names = readdirSync(classFolder).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const found = names.find((name) => {
    const usb = usbDeviceOf(join(classFolder, name))
    return usb !== null && isWanted(usb, wanted)
  })
  return found === undefined ? null : join(dev, found)
}

/**
 * Makes an FTDI adapter hand over what it received after 1 ms instead of 16, which a poll at 115200 baud would mostly
 * spend waiting. Does nothing where the adapter has no such setting or this user may not change it: then it is slower.
 */
export function shortenLatency(devicePath: string, { sys = '/sys' }: { sys?: string } = {}): void {
  const real = resolved(devicePath)
  if (real === null) return
  const setting = join(sys, 'class/tty', basename(real), 'device/latency_timer')
  if (!existsSync(setting)) return
  try {
    writeFileSync(setting, '1')
  } catch {
    // Not permitted, or pulled out meanwhile: the one costs speed only, the other shows when the port is opened.
    return
  }
}

/** The folder of the USB device that this tty belongs to. */
function usbDeviceOf(ttyFolder: string): string | null {
  const real = resolved(ttyFolder)
  // Virtual consoles, 64 of them on most systems, are not worth the climb.
  if (real === null || real.includes('/virtual/')) return null
  let folder = real
  for (let level = 0; level < LEVELS_MAX; level += 1) {
    folder = dirname(folder)
    if (existsSync(join(folder, 'idVendor'))) return folder
  }
  return null
}

function isWanted(
  usbFolder: string,
  { vendor, product, serial }: Extract<LinePort, { kind: 'usb' }>,
): boolean {
  return (
    attribute(usbFolder, 'idVendor')?.toLowerCase() === vendor.toLowerCase() &&
    attribute(usbFolder, 'idProduct')?.toLowerCase() === product.toLowerCase() &&
    (serial === undefined || attribute(usbFolder, 'serial') === serial)
  )
}

/** Null where it is not there, or went away while we looked: the plug may be pulled at any moment. */
function attribute(folder: string, name: string): string | null {
  try {
    return readFileSync(join(folder, name), 'utf8').trim()
  } catch {
    return null
  }
}

function resolved(path: string): string | null {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}
