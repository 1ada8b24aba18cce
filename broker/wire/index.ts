export { encodeAck, encodePublish, type OutPublish } from './encode.ts'
export type {
  AckPacket,
  ConnectPacket,
  DisconnectPacket,
  InPacket,
  PingreqPacket,
  PublishPacket,
  Qos,
  SubscribePacket,
  UnsubscribePacket,
  Will,
} from './packets.ts'
export { PacketReader, type ReaderLimits } from './packet-reader.ts'
export { WIRE_FAULTS, WireFault, type WireFaultReason } from './wire-fault.ts'
