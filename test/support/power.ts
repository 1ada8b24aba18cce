import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`: nothing more reaches the disk, as when the power is gone. */
const SHUTDOWN = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))
`

/** An ext4 file system in a file, whose power can be cut under a running process. Needs root and loop devices. */
export class CuttableDisk {
  readonly #folder = mkdtempSync(join(tmpdir(), 'headgate-disk-'))
  #mounted = false
  /** Where it is mounted. */
  readonly path = join(this.#folder, 'mnt')

  constructor(megabytes: number) {
    mkdirSync(this.path)
    execFileSync('truncate', ['-s', `${megabytes}M`, this.#image])
    execFileSync('mkfs.ext4', ['-q', '-b', '4096', this.#image])
    this.#mount()
  }

  /** Everything that was not fsynced is gone. The processes on it must be stopped, and killed before `restore`. */
  cut(): void {
    execFileSync('/usr/bin/python3', ['-c', SHUTDOWN, this.path])
  }

  /** The machine starts again: the file system is mounted afresh and replays its journal. */
  restore(): void {
    this.#unmount()
    this.#mount()
  }

  remove(): void {
    if (this.#mounted) this.#unmount()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  get #image(): string {
    return join(this.#folder, 'disk.img')
  }

  #mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.path])
    this.#mounted = true
  }

  #unmount(): void {
    execFileSync('umount', [this.path])
    this.#mounted = false
  }
}
