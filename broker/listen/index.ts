export { type Listener, openListener, tryListener } from './listener.ts'
export type { ClientCertificate, Peer } from './peer.ts'
export { type Refusal, REFUSALS } from './refusals.ts'
export { listenerFault, type ListenerSpec, type Transport } from './spec.ts'
