import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect } from 'vitest'
import { testWith } from '../../support/peers.ts'

const CHILD = resolve(import.meta.dirname, '../../support/modem/modem-manager-child.ts')

interface Told {
  readonly look: {
    readonly state: string
    readonly modems: readonly { readonly bearers: readonly { readonly connectedS: number }[] }[]
  }
  readonly kernel: { readonly rx: { readonly bytes: number }; readonly tx: { readonly bytes: number } }
  readonly counted: readonly { readonly meter: string; readonly subject: string; readonly by: string }[]
  readonly carried: { readonly sent: number; readonly received: number }
}

testWith('socat', 'modemmanager', 'network namespaces')(
  'a real ModemManager tells SIM, operator, signal, time and bearer of an AT modem, and the kernel is metered by that SIM',
  { timeout: 150_000 },
  () => {
    const root = mkdtempSync(join(tmpdir(), 'headgate-modem-'))
    mkdirSync(join(root, 'sys'))
    try {
      // Both mounts live in the mount namespace of the child and end with it.
      const inside = 'mount -t sysfs none "$1/sys" && exec "$2" "$3" "$1"'
      const args = [
        '-n',
        '-m',
        '--propagation',
        'private',
        'sh',
        '-c',
        inside,
        'sh',
        root,
        process.execPath,
        CHILD,
      ]
      const told = JSON.parse(execFileSync('unshare', args, { encoding: 'utf8', timeout: 140_000 })) as Told
      expect(told.look).toMatchObject({
        state: 'known',
        modems: [
          {
            state: 'connected',
            operator: '26201',
            operatorName: 'Telekom.de',
            roaming: true,
            access: ['lte'],
            signalPercent: 67,
            rsrpDbm: -95,
            sim: '8949020000012345678',
            networkTime: '2026-11-22T08:30:00+01:00',
            // ModemManager 1.20 asks a u-blox bearer for its byte counts before it knows its profile ("Unknown profile id"),
            // and takes them for unsupported from then on. How long it was connected it counts itself.
            bearers: [{ iface: 'wwan0', total: null }],
          },
        ],
      })
      expect(told.look.modems[0]?.bearers[0]?.connectedS).toBeGreaterThanOrEqual(29)
      // The meter's first look takes what stood there as its start.
      const bytes = 40 * (200 + 28 + 14) + 25 * (200 + 28 + 14)
      expect(told.counted.filter(({ meter }) => meter === 'cell.alloc')).toMatchObject([
        { subject: 'link:8949020000012345678', by: String(bytes) },
      ])
      expect(told.kernel.rx.bytes + told.kernel.tx.bytes).toBe(told.carried.sent + told.carried.received)
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  },
)
