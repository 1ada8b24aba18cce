import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { findUsbTty, type LineConfig } from '../../../hardware/index.ts'
import { portText } from '../arguments.ts'
import { fail, type Finding, type Look, ok, reasonOf } from './finding.ts'
import { canConnect } from './network.ts'

/** The processes of a running gateway: what they hold is rightly held. */
export interface Running {
  readonly pids: ReadonlySet<number>
}

/** Whether the line's port is there, may be opened, and is free or the gateway's own. */
export async function checkPort(line: LineConfig, running: Running | null): Promise<Finding> {
  const { port } = line
  const look = { check: 'port', subject: `${line.id} (${portText(port)})` }
  if (port.kind === 'tcp') return checkServer(look, port, running)
  const path = port.kind === 'path' ? port.path : findUsbTty(port)
  if (path === null) {
    return fail(
      look,
      'no adapter of this USB identity is plugged in',
      'Plug it in, or correct vendor, product and serial; `lsusb` shows them.',
    )
  }
  return checkDevice(look, path, running)
}

async function checkServer(
  look: Look,
  { host, port }: { host: string; port: number },
  running: Running | null,
): Promise<Finding> {
  // Most device servers take one connection: another would push the gateway's out.
  if (running !== null) return ok(look, 'left alone: the gateway is running')
  const reason = await canConnect(host, port)
  return reason === null
    ? ok(look, 'the device server takes the connection')
    : fail(
        look,
        `the device server cannot be reached (${reason})`,
        'Check its address, its power and the network.',
      )
}

function checkDevice(look: Look, path: string, running: Running | null): Finding {
  if (!existsSync(path))
    return fail(
      look,
      `${path} is not there`,
      'Plug the adapter in, or correct the path; better name it by `usb`, which survives replugging.',
    )
  if (!statSync(path).isCharacterDevice())
    return fail(look, `${path} is no serial device`, 'Correct the path.')
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    return fail(look, `may not be opened (${reasonOf(error)})`, groupHint(path))
  }
  const holder = holdersOf(path).find(({ pid }) => running?.pids.has(pid) !== true)
  if (holder !== undefined) {
    return fail(
      look,
      `is held by process ${holder.pid} (${holder.name})`,
      'End that program; two on one line garble each other.',
    )
  }
  return ok(look, running === null ? 'is there and free' : 'is there')
}

function groupHint(path: string): string {
  const { gid } = statSync(path)
  const groups = existsSync('/etc/group') ? readFileSync('/etc/group', 'utf8').split('\n') : []
  const group =
    groups.map((line) => line.split(':')).find(([, , id]) => Number(id) === gid)?.[0] ?? String(gid)
  return `Add the user to its group: usermod -aG ${group} ${userInfo().username}; then log in anew.`
}

/** Processes that have this device open, as far as this user may see. */
function holdersOf(path: string): { pid: number; name: string }[] {
  if (!existsSync('/proc/self/fd')) return []
  const device = realpathSync(path)
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => holds(openFilesOf(pid), device))
    .map((pid) => ({ pid: Number(pid), name: nameOf(pid) }))
}

/** Whoever made a pseudo terminal keeps both its ends open without using this one. */
const holds = (files: readonly string[], device: string): boolean =>
  files.includes(device) && !(device.startsWith('/dev/pts/') && files.some((file) => file.endsWith('/ptmx')))

/** Empty for another user's process, and for one that has just ended. */
function openFilesOf(pid: string): string[] {
  const folder = join('/proc', pid, 'fd')
  try {
    return readdirSync(folder).flatMap((fd) => {
      try {
        return [readlinkSync(join(folder, fd))]
      } catch {
        // Closed between the two calls.
        return []
      }
    })
  } catch {
    return []
  }
}

function nameOf(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'comm'), 'utf8').trim()
  } catch {
    return 'ended meanwhile'
  }
}
