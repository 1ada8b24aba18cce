import { ascii, modbusProtocol, rtu } from '../modbus/index.ts'
import type { Protocol } from '../protocol.ts'
import type { Profile } from './profile.ts'

/**
 * The protocol of a profile. A derived channel is planned as what it is computed from; a poll of nothing that is read
 * from the device has no steps.
 */
export function protocolOf(profile: Profile): Protocol {
  const sources = new Map(profile.channels.map((channel) => [channel.id, channel.sources]))
  const protocol = modbusProtocol({
    framing: profile.protocol === 'modbus-ascii' ? ascii : rtu,
    channels: profile.channels.flatMap((channel) => (channel.read === null ? [] : [channel.read])),
    limits: profile.limits,
    cycle: profile.cycle,
  })
  return {
    plan: (address, channels, splits) =>
      protocol.plan(
        address,
        channels.flatMap((id) => sources.get(id) ?? []),
        splits,
      ),
    decode: (step, frame) => protocol.decode(step, frame),
  }
}
