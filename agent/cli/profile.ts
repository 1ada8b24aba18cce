import { once } from 'node:events'
import { basename } from 'node:path'
import { parse } from 'yaml'
import {
  type Channel,
  loadProfile,
  loadScenario,
  MODBUS_ADDRESSES,
  type Profile,
  startSimulator,
} from '../../hardware/index.ts'
import { AgentError } from '../errors.ts'
import { toJson } from '../json.ts'
import { portText, profileText, wholeNumber } from './arguments.ts'
import { interrupted } from './interrupt.ts'
import { type Answer, processTerminal, table } from './output.ts'

const PORT = { least: 0, most: 65_535 }
const ADDRESS = { least: 1, most: MODBUS_ADDRESSES.length }

/** Examples in a profile that was loaded: each of them was run and holds. */
function examplesIn(text: string): number {
  const { examples = [] } = parse(text) as { examples?: unknown[] }
  return examples.length
}

function channelFacts(channel: Channel): Readonly<Record<string, unknown>> {
  const { id, sensor, unit, title, derived, resolution, range, alarm } = channel
  const step = resolution === null ? null : resolution.step / 10 ** resolution.digits
  return { id, sensor, unit, title, derived, resolution: step, range, alarm }
}

/**
 * `headgate profile check FILE`: what the profile reads, and that its examples hold.
 * @throws HardwareError PROFILE_INVALID, PROFILE_EXAMPLE_FAILED with what was expected and what came out
 */
export function check(_options: object, [name = '']: readonly string[]): Promise<Answer> {
  const text = profileText(name)
  const profile = loadProfile(text)
  const examples = examplesIn(text)
  const sensors = [...new Set(profile.channels.map(({ sensor }) => sensor))]
  const { title, protocol, line, channels, unproven } = profile
  return Promise.resolve({
    json: {
      profile: profile.name,
      title,
      protocol,
      line,
      sensors,
      channels: channels.map(channelFacts),
      examples,
      unproven,
    },
    text: checkText(profile, examples),
  })
}

function checkText({ name, title, protocol, line, channels, unproven }: Profile, examples: number): string {
  const rows = channels.map((channel) => [
    channel.sensor,
    channel.id,
    channel.unit,
    channel.derived ? 'computed' : 'read',
    channel.range === null ? '' : channel.range.join(' to '),
    unproven.includes(channel.id) ? 'in no example' : '',
  ])
  return [
    `${name}  ${title ?? ''}`.trim(),
    `${protocol} at ${line.baud} ${line.format}`,
    '',
    table(['sensor', 'channel', 'unit', 'how', 'range', ''], rows),
    '',
    `${examples} ${examples === 1 ? 'example holds' : 'examples hold'}`,
  ].join('\n')
}

interface SimulateOptions {
  readonly pty?: string
  readonly tcp: string
  readonly address: string
}

/** `headgate profile sim FILE`: one device of this profile on a wire of its own, until SIGTERM or Ctrl-C. */
export async function simulate(options: SimulateOptions, [name = '']: readonly string[]): Promise<Answer> {
  const text = profileText(name)
  const { name: profile, line } = loadProfile(text)
  const address = wholeNumber('--address', options.address, ADDRESS)
  const expose =
    options.pty === undefined ? { tcp: wholeNumber('--tcp', options.tcp, PORT) } : { pty: options.pty }
  const device = { id: 'device', profile: basename(name), address }
  const scenario = loadScenario(toJson({ line, devices: [device] }), () => text)
  const signal = interrupted()
  const simulator = await startSimulator({ scenario, expose }).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE') {
      throw new AgentError('PORT_TAKEN', `--tcp ${options.tcp} is in use`, { cause })
    }
    throw cause
  })
  const place = { port: portText(simulator.port), profile, address, ...line }
  processTerminal.out(`${toJson({ ready: true, ...place })}\n`)
  if (!signal.aborted) await once(signal, 'abort')
  await simulator.stop()
  return { json: { stopped: true }, text: 'stopped' }
}
