import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KernelLinks } from '../../agent/cellular/kernel.ts'
import { count, NO_MEMORY } from '../../agent/cellular/register.ts'

// Runs in a network namespace of its own, with sysfs of that namespace mounted at FOLDER/sys. Moves a modem about, sends
// through it and past it, and prints what was metered beside what `ip` says.
const root = process.argv[2] ?? ''
const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

let memory = NO_MEMORY
let sim = 'SIM-1'
const bySim: Record<string, number> = {}
let partial = 0
const kernel = new KernelLinks(root)
function look(): void {
  const scan = kernel.scan({ interfaces: ['wwan0'], bearers: [] })
  const counted = count(memory, { scan, monoMs: performance.now(), simOf: () => sim, counterBits: 64 })
  memory = counted.memory
  for (const delta of counted.deltas) {
    bySim[delta.sim ?? ''] = (bySim[delta.sim ?? ''] ?? 0) + Number(delta.rx + delta.tx)
    if (delta.flags.partial) partial += 1
  }
}

function boot(id: string): void {
  const folder = join(root, 'proc/sys/kernel/random')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'boot_id'), id)
}

const macOf = (name: string): string =>
  (JSON.parse(ip('-j', 'link', 'show', name)) as { address: string }[])[0]?.address ?? ''
function bytesOf(name: string): number {
  const [link] = JSON.parse(ip('-j', '-s', 'link', 'show', name)) as {
    stats64: { rx: { bytes: number }; tx: { bytes: number } }
  }[]
  return link === undefined ? 0 : link.stats64.rx.bytes + link.stats64.tx.bytes
}

/** A pair of interfaces with neighbours that are known, so that nothing passes but what is sent. */
function plug(name: string, mast: string, net: number): void {
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', mast)
  for (const one of [name, mast]) {
    writeFileSync(`/proc/sys/net/ipv6/conf/${one}/disable_ipv6`, '1')
    ip('link', 'set', one, 'up')
  }
  ip('addr', 'add', `10.${net}.1.1/24`, 'dev', name)
  ip('addr', 'add', `10.${net}.2.1/24`, 'dev', mast)
  ip('neigh', 'add', `10.${net}.1.2`, 'lladdr', macOf(mast), 'dev', name)
  ip('neigh', 'add', `10.${net}.2.2`, 'lladdr', macOf(name), 'dev', mast)
}

async function send(net: number, packets: number): Promise<void> {
  const socket = createSocket('udp4')
  socket.bind(0)
  await once(socket, 'listening')
  for (let n = 0; n < packets; n += 1) {
    for (const way of [1, 2]) {
      await new Promise((done) => {
        socket.send(Buffer.alloc(100 + n), 9, `10.${net}.${way}.2`, done)
      })
    }
  }
  socket.close()
  await sleep(50)
}

let truth = 0
boot('boot-1')
look()
plug('wwan0', 'mast0', 9)
plug('eth7', 'office0', 8)
await send(9, 20)
await send(8, 300)
look()
const first = memory.marks.get('wwan0')?.ifindex
ip('link', 'set', 'wwan0', 'down')
ip('link', 'set', 'wwan0', 'up')
ip('neigh', 'replace', '10.9.1.2', 'lladdr', macOf('mast0'), 'dev', 'wwan0')
await send(9, 10)
look()
truth += bytesOf('wwan0')
const ofFirstSim = truth
ip('link', 'del', 'wwan0')
look()
sim = 'SIM-2'
plug('wwan0', 'mast0', 9)
await send(9, 7)
look()
const second = memory.marks.get('wwan0')?.ifindex
truth += bytesOf('wwan0')
ip('link', 'del', 'wwan0')
boot('boot-2')
plug('wwan0', 'mast0', 9)
await send(9, 5)
look()
truth += bytesOf('wwan0')
process.stdout.write(
  JSON.stringify({ truth, ofFirstSim, bySim, partial, first, second, office: bytesOf('eth7') }),
)
