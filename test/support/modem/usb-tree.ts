import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DEVICE = '/sys/devices/usb1/1-1'

/**
 * Covers /sys and /dev, in a mount namespace of our own, with what a u-blox modem on USB looks like to ModemManager without
 * udev: two serial ports `ttyUSB0` and `ttyUSB1` (to be made in /dev) and the network interface `wwan0` (to be made, too).
 */
export function coverSysfs(): void {
  mount('tmpfs', 'none', '/sys')
  for (const folder of ['class/tty', 'class/net', 'bus/usb', 'drivers/usb']) {
    mkdirSync(join('/sys', folder), { recursive: true })
  }
  mkdirSync(DEVICE, { recursive: true })
  const facts = {
    idVendor: '1546',
    idProduct: '1140',
    bcdDevice: '0100',
    manufacturer: 'u-blox',
    product: 'LARA-R211',
  }
  for (const [name, value] of Object.entries(facts)) writeFileSync(join(DEVICE, name), `${value}\n`)
  symlinkSync('/sys/bus/usb', join(DEVICE, 'subsystem'))
  symlinkSync('/sys/drivers/usb', join(DEVICE, 'driver'))
  for (const number of [0, 1]) {
    const tty = `ttyUSB${number}`
    port({ number, driver: 'option', kind: 'ff', node: `${tty}/tty/${tty}`, subsystem: 'tty' })
  }
  port({ number: 2, driver: 'cdc_ether', kind: '02', node: 'net/wwan0', subsystem: 'net' })
}

/** Leaves of /dev what programs need, and room for ttys of ours. @param folder an empty one */
export function coverDev(folder: string): void {
  mount('tmpfs', 'none', folder)
  for (const name of ['null', 'zero', 'urandom', 'random']) {
    writeFileSync(join(folder, name), '')
    execFileSync('mount', ['--bind', join('/dev', name), join(folder, name)])
  }
  mkdirSync(join(folder, 'pts'))
  execFileSync('mount', ['--rbind', '/dev/pts', join(folder, 'pts')])
  symlinkSync('pts/ptmx', join(folder, 'ptmx'))
  execFileSync('mount', ['--rbind', folder, '/dev'])
}

interface Port {
  readonly number: number
  readonly driver: string
  /** bInterfaceClass */
  readonly kind: string
  readonly node: string
  readonly subsystem: 'tty' | 'net'
}

function port({ number, driver, kind, node, subsystem }: Port): void {
  const own = join(DEVICE, `1-1:1.${number}`)
  mkdirSync(join(own, node), { recursive: true })
  const facts = { Number: `0${number}`, Class: kind, SubClass: '00', Protocol: '00' }
  for (const [name, value] of Object.entries(facts))
    writeFileSync(join(own, `bInterface${name}`), `${value}\n`)
  mkdirSync(join('/sys/drivers', driver), { recursive: true })
  symlinkSync(join('/sys/drivers', driver), join(own, 'driver'))
  symlinkSync('/sys/bus/usb', join(own, 'subsystem'))
  const name = node.slice(node.lastIndexOf('/') + 1)
  symlinkSync(join(own, node), join('/sys/class', subsystem, name))
  symlinkSync(join('/sys/class', subsystem), join(own, node, 'subsystem'))
}

const mount = (type: string, source: string, target: string): void => {
  execFileSync('mount', ['-t', type, source, target])
}
