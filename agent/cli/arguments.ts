import { FORMATS, type Format, type LinePort } from '../../hardware/index.ts'
import { profileReader } from '../config/profile-file.ts'
import { AgentError } from '../errors.ts'

const PORT_MAX = 65_535

/** A whole number between bounds, both inclusive. @throws AgentError USAGE that names the option */
export function wholeNumber(
  option: string,
  text: string,
  { least, most }: { least: number; most: number },
): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
  if (value >= least && value <= most) return value
  throw new AgentError('USAGE', `${option} ${text}: a whole number from ${least} to ${most} is wanted`)
}

/** Data bits, parity and stop bits, e.g. `8N1`. @throws AgentError USAGE */
export function formatOf(text: string): Format {
  const format = FORMATS.find((known) => known === text.toUpperCase())
  if (format === undefined) throw new AgentError('USAGE', `--format ${text}: one of ${FORMATS.join(', ')}`)
  return format
}

/** A port as it is typed: `tcp:HOST:PORT` (with [ ] around an IPv6 address) or a device path. @throws AgentError USAGE */
export function portOf(text: string): LinePort {
  if (!text.startsWith('tcp:')) return { kind: 'path', path: text }
  const [, host = '', port = ''] = /^tcp:(\[[0-9A-Fa-f:.]+\]|[^:\s]+):(\d{1,5})$/.exec(text) ?? []
  if (host === '') throw new AgentError('USAGE', `${text}: a serial device server is named tcp:HOST:PORT`)
  return {
    kind: 'tcp',
    host: host.replace(/^\[|\]$/g, ''),
    port: wholeNumber('the port of', port, { least: 1, most: PORT_MAX }),
  }
}

/** A port as `portOf` reads it. */
export function portText(port: LinePort): string {
  switch (port.kind) {
    case 'path':
      return port.path
    case 'usb':
      return `usb ${port.vendor}:${port.product}${port.serial === undefined ? '' : `:${port.serial}`}`
    case 'tcp':
      return `tcp:${port.host.includes(':') ? `[${port.host}]` : port.host}:${port.port}`
  }
}

/** Text of a profile: a .yaml file, or a shipped one by `name/version`. @throws AgentError PROFILE_NOT_FOUND */
export function profileText(name: string): string {
  const file = profileReader(process.cwd())(name)
  if (!file.ok) throw new AgentError('PROFILE_NOT_FOUND', `${name} ${file.because}`)
  return file.text
}
