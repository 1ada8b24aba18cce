import type { TimeSources } from '../../clock/index.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

/** `engines` of package.json. */
const NODE_LEAST = [22, 18] as const
/** The version that comes with headgate and that every test runs on. */
const NODE_TESTED = 24
/** No gateway was built before: a clock below has never been set. */
const WALL_MS_LEAST = Date.UTC(2025, 0, 1)

/** `version` as process.versions.node. */
export function checkNode(version: string): Finding {
  const look = { check: 'node', subject: version }
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [majorLeast, minorLeast] = NODE_LEAST
  if (major < majorLeast || (major === majorLeast && minor < minorLeast)) {
    return fail(
      look,
      `headgate needs Node ${majorLeast}.${minorLeast} or newer`,
      'Install headgate with its optional dependencies: they bring a fitting Node.',
    )
  }
  return major === NODE_TESTED
    ? ok(look, 'the version that headgate is tested with')
    : warn(look, `headgate is tested with Node ${NODE_TESTED}`, `Prefer Node ${NODE_TESTED}.`)
}

/** Whether readings will be labelled with a time that can be believed. */
export function checkClock(sources: Pick<TimeSources, 'wallMs' | 'wallIsSynced'>): Finding {
  const wallMs = sources.wallMs()
  const look = { check: 'clock', subject: new Date(wallMs).toISOString() }
  if (wallMs < WALL_MS_LEAST) {
    return fail(
      look,
      'the clock has never been set',
      'Give it a time server (systemd-timesyncd or chrony), or a battery-backed clock.',
    )
  }
  if (sources.wallIsSynced()) return ok(look, 'set by a time server')
  return warn(
    look,
    'no time server has been heard since the start of this machine; readings are kept, their times are marked as unsure',
    'Check with `timedatectl` that a time server is configured and reachable.',
  )
}
