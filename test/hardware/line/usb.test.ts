import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findUsbTty, shortenLatency } from '../../../hardware/line/usb.ts'

let sys = ''
beforeEach(() => {
  sys = mkdtempSync(join(tmpdir(), 'headgate-sys-'))
  mkdirSync(join(sys, 'class/tty'), { recursive: true })
})
afterEach(() => {
  rmSync(sys, { recursive: true, force: true })
})

/** A tty as the kernel shows it: the class holds links into the tree of devices. */
function plugIn(name: string, devicePath: string, usb?: { at: string; files: Record<string, string> }): void {
  const real = join(sys, 'devices', devicePath, 'tty', name)
  mkdirSync(real, { recursive: true })
  const link = join(sys, 'class/tty', name)
  symlinkSync(relative(dirname(link), real), link)
  for (const [file, text] of Object.entries(usb?.files ?? {})) {
    writeFileSync(join(sys, 'devices', usb?.at ?? '', file), `${text}\n`)
  }
}
const ftdi = (serial: string) => ({ idVendor: '0403', idProduct: '6001', serial })
const find = (wanted: { vendor: string; product: string; serial?: string }) =>
  findUsbTty({ kind: 'usb', ...wanted }, { sys, dev: '/dev' })

describe('an adapter found by its USB identity', () => {
  beforeEach(() => {
    plugIn('tty0', 'virtual')
    plugIn('ttyS0', 'platform/serial8250')
    // A usb-serial driver has a folder of the port between interface and tty, cdc-acm has none.
    plugIn('ttyUSB0', 'pci/usb1/1-1/1-1:1.0/ttyUSB0', { at: 'pci/usb1/1-1', files: ftdi('A1') })
    plugIn('ttyUSB10', 'pci/usb1/1-2/1-2:1.0/ttyUSB10', { at: 'pci/usb1/1-2', files: ftdi('B2') })
    plugIn('ttyACM0', 'pci/usb1/1-3/1-3.1/1-3.1:1.0', {
      at: 'pci/usb1/1-3/1-3.1',
      files: { idVendor: '2341', idProduct: '0043' },
    })
    writeFileSync(join(sys, 'devices/pci/usb1/idVendor'), '1d6b\n')
    writeFileSync(join(sys, 'devices/pci/usb1/idProduct'), '0002\n')
  })

  test.for([
    ['by its serial number', { vendor: '0403', product: '6001', serial: 'B2' }, '/dev/ttyUSB10'],
    ['the first where no serial number is asked for', { vendor: '0403', product: '6001' }, '/dev/ttyUSB0'],
    ['behind a hub, in capitals or not', { vendor: '2341', product: '0043' }, '/dev/ttyACM0'],
    ['not by another serial number', { vendor: '0403', product: '6001', serial: 'C3' }, null],
    ['not by the hub it hangs on', { vendor: '1d6b', product: '0002' }, null],
    ['not where the adapter has no serial number', { vendor: '2341', product: '0043', serial: 'x' }, null],
  ] as const)('%s', ([, wanted, path]) => {
    expect(find(wanted)).toBe(path)
  })

  test('under its new name after it was plugged in anew', () => {
    rmSync(join(sys, 'class/tty/ttyUSB0'))
    plugIn('ttyUSB3', 'pci/usb1/1-4/1-4:1.0/ttyUSB3', { at: 'pci/usb1/1-4', files: ftdi('A1') })
    expect(find({ vendor: '0403', product: '6001', serial: 'A1' })).toBe('/dev/ttyUSB3')
  })

  test('not while a link points to nothing', () => {
    rmSync(join(sys, 'devices/pci/usb1/1-1'), { recursive: true })
    expect(find({ vendor: '0403', product: '6001', serial: 'A1' })).toBeNull()
  })
})

test('a system without ttys has none', () => {
  expect(findUsbTty({ kind: 'usb', vendor: '0', product: '0' }, { sys: '/nonexistent' })).toBeNull()
})

test('an FTDI adapter is told not to hold bytes back, one of another kind is left alone', () => {
  plugIn('ttyUSB0', 'pci/usb1/1-1/1-1:1.0/ttyUSB0', {
    at: 'pci/usb1/1-1/1-1:1.0/ttyUSB0',
    files: { latency_timer: '16' },
  })
  plugIn('ttyUSB1', 'pci/usb1/1-2/1-2:1.0/ttyUSB1')
  for (const port of ['1-1/1-1:1.0/ttyUSB0', '1-2/1-2:1.0/ttyUSB1']) {
    const folder = join(sys, 'devices/pci/usb1', port)
    symlinkSync(folder, join(folder, 'tty', port.slice(-7), 'device'))
    // A name that does not change with the order of plugging is a link to the device.
    writeFileSync(join(sys, port.slice(-7)), '')
    symlinkSync(join(sys, port.slice(-7)), join(sys, `by-id-${port.slice(-1)}`))
    shortenLatency(join(sys, `by-id-${port.slice(-1)}`), { sys })
  }
  expect(readFileSync(join(sys, 'devices/pci/usb1/1-1/1-1:1.0/ttyUSB0/latency_timer'), 'utf8')).toBe('1')
  expect(existsSync(join(sys, 'devices/pci/usb1/1-2/1-2:1.0/ttyUSB1/latency_timer'))).toBe(false)
})
