import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

interface Link {
  readonly ifindex: number
  readonly rx: number | bigint
  readonly tx: number | bigint
  /** The kernel's device type. */
  readonly type?: string
  /** The interface it runs upon. */
  readonly lower?: string
}

/** A folder that looks like the root of a machine with these interfaces. */
export class KernelFolder {
  readonly root = mkdtempSync(join(tmpdir(), 'headgate-kernel-'))

  constructor() {
    onTestFinished(() => {
      rmSync(this.root, { recursive: true, force: true })
    })
    this.boot('boot-1')
    mkdirSync(join(this.root, 'sys/class/net'), { recursive: true })
  }

  boot(id: string): void {
    const folder = join(this.root, 'proc/sys/kernel/random')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'boot_id'), `${id}\n`)
  }

  set(name: string, { ifindex, rx, tx, type, lower }: Link): void {
    const folder = join(this.root, 'sys/class/net', name)
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(join(folder, 'statistics'), { recursive: true })
    writeFileSync(join(folder, 'ifindex'), `${ifindex}\n`)
    writeFileSync(join(folder, 'statistics/rx_bytes'), `${rx}\n`)
    writeFileSync(join(folder, 'statistics/tx_bytes'), `${tx}\n`)
    const devtype = type === undefined ? '' : `DEVTYPE=${type}\n`
    writeFileSync(join(folder, 'uevent'), `${devtype}INTERFACE=${name}\nIFINDEX=${ifindex}\n`)
    if (lower === undefined) return
    mkdirSync(join(folder, `lower_${lower}`))
    writeFileSync(join(folder, `lower_${lower}`, 'ifindex'), '1\n')
  }

  remove(name: string): void {
    rmSync(join(this.root, 'sys/class/net', name), { recursive: true, force: true })
  }
}
