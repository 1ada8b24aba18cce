import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fail, type Finding, ok, reasonOf, warn } from './finding.ts'

const MIB = 1024 * 1024
/** Less and the store begins to shed at once. */
const FREE_BYTES_LEAST = 64 * MIB

type Lasts = 'yes' | 'no' | 'perhaps'
/** By the magic number of statfs(2). On a network a lock or a flush may be no more than a promise. */
const FILE_SYSTEMS: Readonly<Record<number, readonly [name: string, lasts: Lasts]>> = {
  0xef53: ['ext4', 'yes'],
  0x58465342: ['xfs', 'yes'],
  0x9123683e: ['btrfs', 'yes'],
  0xf2f52010: ['f2fs', 'yes'],
  0x2fc12fc1: ['zfs', 'yes'],
  0x794c7630: ['overlayfs', 'perhaps'],
  0x01021994: ['tmpfs', 'no'],
  0x858458f6: ['ramfs', 'no'],
  0x4d44: ['vfat', 'perhaps'],
  0x2011bab0: ['exfat', 'perhaps'],
  0x6969: ['nfs', 'no'],
  0xff534d42: ['cifs', 'no'],
  0xfe534d42: ['smb', 'no'],
}
/** They are on this machine, so a trial is as good on them as elsewhere; what they hold ends with its power. */
const IN_MEMORY = new Set(['tmpfs', 'ramfs'])

/** Whether the data folder can be written, is large enough, and keeps what is flushed to it. */
export function checkDataFolder(folder: string, maxBytes: number): Finding[] {
  const place = existing(folder)
  const written = checkWritable(folder, place)
  if (written.state === 'fail') return [written]
  return [written, checkFree(place, maxBytes), checkFileSystem(place)]
}

/** The folder, or the nearest one above it that is there. */
function existing(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : existing(dirname(folder))
}

function checkWritable(folder: string, place: string): Finding {
  const look = { check: 'data folder', subject: folder }
  const probe = join(place, `.headgate-doctor-${randomUUID()}`)
  try {
    if (place === folder) writeFlushed(probe)
    else mkdirSync(probe)
    return ok(look, place === folder ? 'can be written' : 'is made at the first start')
  } catch (error) {
    return fail(
      look,
      `${place} cannot be written (${reasonOf(error)})`,
      `Make it and give it to the user that runs the gateway: install -d -m 700 -o USER ${folder}`,
    )
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}

function writeFlushed(path: string): void {
  const file = openSync(path, 'w', 0o600)
  try {
    writeSync(file, 'a look whether this disk can be written')
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

function checkFree(place: string, maxBytes: number): Finding {
  const look = { check: 'free space', subject: place }
  const { bavail, bsize } = statfsSync(place)
  const free = bavail * bsize
  const message = `${mib(free)} free, storage.maxBytes is ${mib(maxBytes)}`
  if (free < FREE_BYTES_LEAST) {
    return fail(look, message, `Free space: at least ${mib(FREE_BYTES_LEAST)} must be left.`)
  }
  if (free < maxBytes) {
    return warn(look, message, 'Lower storage.maxBytes, or the disk is full before old readings are let go.')
  }
  return ok(look, message)
}

const mib = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`

function checkFileSystem(place: string): Finding {
  const { type } = statfsSync(place)
  const [name, lasts] = FILE_SYSTEMS[type] ?? [`0x${type.toString(16)}`, 'perhaps']
  const look = { check: 'file system', subject: name }
  if (lasts === 'yes') return ok(look, 'keeps what is flushed to it')
  if (lasts === 'perhaps') {
    return warn(
      look,
      'not known to keep what is flushed when the power fails',
      'Use ext4, xfs, btrfs or f2fs.',
    )
  }
  return IN_MEMORY.has(name)
    ? warn(
        look,
        'is memory: readings are lost with the power',
        'Good for a trial; else put dataDir on a disk.',
      )
    : fail(look, 'is a network: neither locks nor flushes can be relied on', 'Put dataDir on a local disk.')
}
