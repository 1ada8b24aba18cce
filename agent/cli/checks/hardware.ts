import { checkHardware, LINE_LOAD_MAX } from '../../../hardware/index.ts'
import type { Config } from '../../config/config.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

/** Above this share of a line's time a few retries already push polls out of their slots. */
const LOAD_WARN = 0.6

/** What the hardware process would refuse, and how busy each line would be. */
export function checkField({ lines, devices }: Config): Finding[] {
  const found = checkHardware({ lines, devices })
  return [
    ...found.refusals.map(({ subject, id, error }) =>
      fail({ check: subject, subject: id }, `${error.code}: ${error.message.trim()}`, error.hint),
    ),
    ...found.lines.map((line) => {
      const look = { check: 'line load', subject: line.id }
      const share = `${(line.load * 100).toFixed(1)} % of at most ${LINE_LOAD_MAX * 100} %`
      const message = `${line.devices} ${line.devices === 1 ? 'device needs' : 'devices need'} ${share}`
      return line.load > LOAD_WARN
        ? warn(look, message, 'Poll less often, or raise the speed, before more devices come.')
        : ok(look, message)
    }),
    ...(devices.length === 0
      ? [
          warn(
            { check: 'devices', subject: 'none' },
            'nothing is measured yet',
            'Name lines and devices; `headgate line scan` finds them.',
          ),
        ]
      : []),
  ]
}
