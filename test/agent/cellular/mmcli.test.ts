import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { askMmcli, lookAtModems } from '../../../agent/cellular/mmcli.ts'

const MODEM = '/org/freedesktop/ModemManager1/Modem/0'
const SIM = '/org/freedesktop/ModemManager1/SIM/0'
const BEARER = '/org/freedesktop/ModemManager1/Bearer/1'

/** As mmcli 1.20 prints them: every value a text, `--` for none. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  '-L': { 'modem-list': [MODEM] },
  [`-m ${MODEM}`]: {
    modem: {
      '3gpp': {
        'enabled-locks': ['fixed-dialing'],
        imei: '860000000000001',
        'operator-code': '26201',
        'operator-name': 'Telekom.de',
        'packet-service-state': '--',
        pco: '--',
        'registration-state': 'roaming',
      },
      'dbus-path': MODEM,
      generic: {
        'access-technologies': ['lte'],
        bearers: ['/org/freedesktop/ModemManager1/Bearer/0', BEARER],
        ports: ['cdc-wdm0 (qmi)', 'ttyUSB2 (at)', 'wwan0 (net)'],
        'signal-quality': { recent: 'yes', value: '68' },
        sim: SIM,
        'sim-slots': [SIM, '/'],
        state: 'connected',
        'state-failed-reason': '--',
      },
    },
  },
  '-b /org/freedesktop/ModemManager1/Bearer/0': {
    bearer: {
      'dbus-path': '/org/freedesktop/ModemManager1/Bearer/0',
      stats: { attempts: '--', 'bytes-rx': '--', 'total-bytes-rx': '--', 'total-bytes-tx': '--' },
      status: { connected: 'no', interface: '--', 'ip-timeout': '--', suspended: 'no' },
      type: 'default-attach',
    },
  },
  [`-b ${BEARER}`]: {
    bearer: {
      'dbus-path': BEARER,
      properties: { apn: 'internet.m2m', roaming: 'allowed' },
      stats: {
        attempts: '3',
        'bytes-rx': '700',
        'bytes-tx': '300',
        duration: '90',
        'failed-attempts': '0',
        'total-bytes-rx': '9007199254740993',
        'total-bytes-tx': '4100',
        'total-duration': '7200',
      },
      status: {
        connected: 'yes',
        interface: 'wwan0',
        'ip-timeout': '20',
        multiplexed: 'no',
        suspended: 'no',
      },
      type: 'default',
    },
  },
  [`-i ${SIM}`]: {
    sim: {
      'dbus-path': SIM,
      properties: { active: 'yes', eid: '--', iccid: '8949020000012345678', imsi: '262010000000001' },
    },
  },
  [`-m ${MODEM} --signal-get`]: {
    modem: {
      signal: {
        '5g': { rsrp: '--', rsrq: '--', snr: '--' },
        lte: { rsrp: '-97.00', rsrq: '-11.00', rssi: '-66.00', snr: '9.40' },
        refresh: { rate: '10' },
      },
    },
  },
  [`-m ${MODEM} --time`]: {
    modem: {
      time: { current: '2026-11-22T07:31:36+01' },
      timezone: { current: '+60', 'leap-seconds': '--' },
    },
  },
}

/** A program that answers as mmcli does; whatever it is not given ends with an error. */
function program(answers: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-mmcli-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  const cases = Object.entries(answers).map(
    ([args, answer]) => `'-J ${args}') cat <<'END'\n${text(answer)}\nEND\n;;`,
  )
  const path = join(folder, 'mmcli')
  const otherwise = '*) echo "error: modem is unsupported" >&2; exit 1;;'
  writeFileSync(path, `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\n${otherwise}\nesac\n`)
  chmodSync(path, 0o755)
  return path
}

const text = (answer: unknown): string => (typeof answer === 'string' ? answer : JSON.stringify(answer))

test('SIM, operator, signal, time and the modem’s own count are read', async () => {
  expect(await lookAtModems(askMmcli(program(ANSWERS)))).toEqual({
    state: 'known',
    modems: [
      {
        path: MODEM,
        state: 'connected',
        operator: '26201',
        operatorName: 'Telekom.de',
        roaming: true,
        access: ['lte'],
        signalPercent: 68,
        rsrpDbm: -97,
        sim: '8949020000012345678',
        networkTime: '2026-11-22T07:31:36+01:00',
        bearers: [
          { path: '/org/freedesktop/ModemManager1/Bearer/0', iface: null, total: null, connectedS: null },
          {
            path: BEARER,
            iface: 'wwan0',
            total: { rx: 9_007_199_254_740_993n, tx: 4100n },
            connectedS: 7200,
          },
        ],
      },
    ],
  })
})

test('a modem without SIM, signal and clock is a modem', async () => {
  const bare = { modem: { generic: { bearers: [], sim: '--', state: 'locked' } } }
  const look = await lookAtModems(askMmcli(program({ '-L': ANSWERS['-L'], [`-m ${MODEM}`]: bare })))
  expect(look).toMatchObject({
    state: 'known',
    modems: [
      { state: 'locked', sim: null, operator: null, signalPercent: null, networkTime: null, bearers: [] },
    ],
  })
})

const states = [
  ['no modem', { '-L': { 'modem-list': [] } }, { state: 'known', modems: [] }],
  ['a call that fails', {}, { state: 'failed' }],
  ['an answer that is no JSON', { '-L': 'error' }, { state: 'failed' }],
  ['an answer of another shape', { '-L': { 'modem-list': 'none' } }, { state: 'failed' }],
] as const
test.for(states)('%s is a clear state', async ([, answers, expected]) => {
  expect(await lookAtModems(askMmcli(program(answers)))).toMatchObject(expected)
})

test('a machine without ModemManager is a clear state', async () => {
  expect(await lookAtModems(askMmcli('/nowhere/mmcli'))).toEqual({ state: 'absent' })
})

test('an mmcli that hangs is ended', async () => {
  const hangs = program({})
  writeFileSync(hangs, '#!/bin/sh\nexec sleep 600\n')
  expect(await lookAtModems(askMmcli(hangs, 300))).toMatchObject({ state: 'failed' })
})
