import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Cellular, KernelLinks } from '../../../agent/cellular/index.ts'
import { askMmcli, lookAtModems } from '../../../agent/cellular/mmcli.ts'
import type { Increment } from '../../../agent/metering/index.ts'
import { OWNER } from '../store.ts'
import { AtModem } from './at-modem.ts'
import { coverDev, coverSysfs } from './usb-tree.ts'

// Runs as root in network and mount namespaces of its own, with sysfs of that network at FOLDER/sys. A real ModemManager on
// a bus of its own finds a u-blox modem that is ours, connects it, and the meter looks at both. Prints what each says.
const root = process.argv[2] ?? ''
const run = promisify(execFile)
const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

/** A pair of interfaces with neighbours that are known, so that nothing passes but what is sent; the modem is the far end. */
function plug(): void {
  ip('link', 'add', 'wwan0', 'type', 'veth', 'peer', 'name', 'mast0')
  for (const one of ['wwan0', 'mast0']) {
    writeFileSync(`/proc/sys/net/ipv6/conf/${one}/disable_ipv6`, '1')
    ip('link', 'set', one, 'up')
  }
  ip('addr', 'add', '10.9.1.1/24', 'dev', 'wwan0')
  ip('addr', 'add', '10.9.2.1/24', 'dev', 'mast0')
  ip('neigh', 'add', '10.9.1.2', 'lladdr', linkOf('mast0').address, 'dev', 'wwan0')
  ip('neigh', 'add', '10.9.2.2', 'lladdr', linkOf('wwan0').address, 'dev', 'mast0')
}

interface Link {
  readonly address: string
  readonly stats64: { readonly rx: { readonly bytes: number }; readonly tx: { readonly bytes: number } }
}
function linkOf(name: string): Link {
  const [link] = JSON.parse(ip('-j', '-s', 'link', 'show', name)) as Link[]
  if (link === undefined) throw new Error(`${name} is not there`)
  return link
}

async function send(packets: number, way: 1 | 2): Promise<void> {
  const socket = createSocket('udp4')
  socket.bind(0)
  await once(socket, 'listening')
  for (let n = 0; n < packets; n += 1) {
    await new Promise((done) => {
      socket.send(Buffer.alloc(200), 9, `10.9.${way}.2`, done)
    })
  }
  socket.close()
}

const children: ChildProcess[] = []
function start(command: string, args: readonly string[]): void {
  children.push(spawn(command, args, { stdio: 'ignore' }))
}
async function mmcli(...args: string[]): Promise<string> {
  return (await run('mmcli', args, { timeout: 60_000 })).stdout
}
async function until(what: string, found: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    try {
      if (await found()) return
    } catch {
      // Not there yet: the bus, ModemManager or its modem is still starting.
    }
    await sleep(200)
  }
  throw new Error(`${what}: not within a minute`)
}

function startBus(): void {
  const address = `unix:path=${join(root, 'bus.sock')}`
  const config = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>${address}</listen><policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/></policy></busconfig>`
  writeFileSync(join(root, 'bus.conf'), config)
  process.env['DBUS_SYSTEM_BUS_ADDRESS'] = address
  start('dbus-daemon', [`--config-file=${join(root, 'bus.conf')}`, '--nofork', '--nopidfile'])
}

async function startModem(modem: AtModem): Promise<void> {
  const socket = join(root, 'at.sock')
  await modem.listen(socket)
  for (const tty of ['/dev/ttyUSB0', '/dev/ttyUSB1']) {
    start('socat', [`PTY,link=${tty},rawer,wait-slave=0`, `UNIX-CONNECT:${socket}`])
  }
}

/** From plugging it in to a connection. */
async function connect(): Promise<void> {
  await until('ModemManager', async () => (await mmcli('-L')) !== '')
  for (const tty of ['ttyUSB0', 'ttyUSB1']) {
    await mmcli(`--report-kernel-event=action=add,subsystem=tty,name=${tty}`)
  }
  await mmcli('--report-kernel-event=action=add,subsystem=net,name=wwan0')
  await until('the modem', async () => (await mmcli('-L')).includes('LARA-R211'))
  await mmcli('-m', '0', '--enable')
  await mmcli('-m', '0', '--signal-setup=5')
  await mmcli('-m', '0', '--simple-connect=apn=internet.m2m')
}

async function scene(): Promise<unknown> {
  chmodSync(root, 0o755)
  mkdirSync(join(root, 'dev'))
  plug()
  coverSysfs()
  coverDev(join(root, 'dev'))
  mkdirSync(join(root, 'proc/sys/kernel/random'), { recursive: true })
  symlinkSync('/proc/sys/kernel/random/boot_id', join(root, 'proc/sys/kernel/random/boot_id'))
  startBus()
  const carried = () => {
    const { rx, tx } = linkOf('mast0').stats64
    return { sent: rx.bytes, received: tx.bytes }
  }
  const modem = new AtModem(carried)
  await startModem(modem)
  start('/usr/lib/polkit-1/polkitd', ['--no-debug'])
  start('ModemManager', ['--no-auto-scan', '--test-no-suspend-resume', '--test-no-udev', '--test-no-qrtr'])
  const counted: Increment[] = []
  const cellular = new Cellular({
    rules: { interfaces: null, counterBits: 64, sampleEveryMs: 10_000, hostAbsorbs: false, budget: null },
    kernel: new KernelLinks(root),
    modems: askMmcli(),
    meter: {
      read: () => undefined,
      count: ({ increments }) => {
        counted.push(...increments)
        return Promise.resolve()
      },
    },
    gateway: {
      host: () => OWNER,
      ownTraffic: () => new Map(),
      onFactors: () => undefined,
    },
    now: () => ({
      monoMs: performance.now(),
      wallMs: Date.now(),
      clock: 'synced',
      maxErrMs: 0,
      day: null,
      trustedMs: null,
    }),
    log: { info: () => undefined, warn: () => undefined },
  })
  // A modem whose counters stand at 0 counts for ModemManager as one that has none.
  await send(1, 1)
  await send(1, 2)
  await connect()
  await cellular.look()
  await send(40, 1)
  await send(25, 2)
  // ModemManager looks after a bearer every 30 s.
  let look = await lookAtModems(askMmcli())
  await until('the statistics of the bearer', async () => {
    look = await lookAtModems(askMmcli())
    return look.state === 'known' && look.modems[0]?.bearers[0]?.connectedS != null
  })
  await cellular.look()
  modem.close()
  return { look, kernel: linkOf('wwan0').stats64, counted, carried: carried() }
}

try {
  const told = await scene()
  process.stdout.write(
    JSON.stringify(told, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  )
} finally {
  for (const child of children.reverse()) child.kill()
}
