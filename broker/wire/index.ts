export { encodeAck, encodePublish, type OutPublish } from './encode.ts'
export type {
  ConnectPacket,
  DisconnectPacket,
  InPacket,
  PublishPacket,
  SubscribePacket,
  UnsubscribePacket,
  Will,
} from './packets.ts'
export { PacketReader } from './packet-reader.ts'
export { WIRE_FAULTS, WireFault, type WireFaultReason } from './wire-fault.ts'
