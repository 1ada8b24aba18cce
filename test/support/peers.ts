import { execFileSync } from 'node:child_process'
import { test } from 'vitest'

/** Programs and packages of Debian that suites use as independent peers; `test/peers/install` installs them. */
const PEERS = {
  socat: ['socat', '-V'],
  mbpoll: ['mbpoll', '-V'],
  libmodbus: ['sh', '-c', 'pkg-config --exists libmodbus && command -v cc'],
  pymodbus: ['/usr/bin/python3', '-c', 'import pymodbus, serial_asyncio'],
  python: ['/usr/bin/python3', '-c', 'import zlib'],
  'python-cryptography': [
    '/usr/bin/python3',
    '-c',
    'from cryptography.hazmat.primitives.asymmetric import ed25519',
  ],
  mosquitto: ['sh', '-c', 'command -v mosquitto || test -x /usr/sbin/mosquitto'],
  paho: ['/usr/bin/python3', '-c', 'import paho.mqtt.client'],
  chromium: ['sh', '-c', 'command -v chromium'],
  faketime: ['sh', '-c', 'command -v faketime'],
  openssl: ['openssl', 'version'],
  strace: ['strace', '-V'],
  modemmanager: [
    'sh',
    '-c',
    'command -v ModemManager && command -v mmcli && command -v dbus-daemon && test -x /usr/lib/polkit-1/polkitd',
  ],
  postgresql: ['sh', '-c', 'test -x "$(ls -d /usr/lib/postgresql/*/bin/postgres | head -1)"'],
  root: ['sh', '-c', 'test "$(id -u)" = 0'],
  loop: ['sh', '-c', 'test "$(id -u)" = 0 && test -e /dev/loop-control && command -v mkfs.ext4'],
  'network namespaces': ['unshare', '-n', '-m', 'sh', '-c', 'ip link add v0 type veth peer name v1'],
} as const
export type Peer = keyof typeof PEERS

/** Rights on this machine that no package gives: without them a test is skipped, also where peers are required. */
const RIGHTS: readonly Peer[] = ['root', 'loop', 'network namespaces']

/** True where the peer is here. Where HEADGATE_REQUIRE_PEERS=1 a missing one is an error. */
export function havePeer(peer: Peer): boolean {
  const [command, ...args] = PEERS[peer]
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 })
    return true
  } catch (cause) {
    if (process.env['HEADGATE_REQUIRE_PEERS'] === '1' && !RIGHTS.includes(peer)) {
      throw new Error(`peer ${peer} is missing; run test/peers/install`, { cause })
    }
    return false
  }
}

/** `test`, or a skip that says what to install. */
export function testWith(...peers: Peer[]): typeof test {
  const missing = peers.filter((peer) => !havePeer(peer))
  if (missing.length === 0) return test
  const skipped = (name: string, ...rest: unknown[]): void => {
    const say = test.skip as (title: string, ...rest: unknown[]) => void
    say(`${name} [needs ${missing.join(', ')}: run test/peers/install as root]`, ...rest)
  }
  return Object.assign(skipped, test.skip) as unknown as typeof test
}
