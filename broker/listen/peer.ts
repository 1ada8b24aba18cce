import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Transport } from './spec.ts'

/** A client's certificate, verified by the listener's `ca`. */
export interface ClientCertificate {
  /** CN of the subject; null where there is none or more than one. */
  readonly commonName: string | null
  /** As `DNS:sensor-7.example`, `URI:…`, `email:…`, `IP Address:…`. */
  readonly subjectAltNames: readonly string[]
  /** SHA-256 of the certificate, as `AB:CD:…`. */
  readonly fingerprint256: string
  readonly serialNumber: string
}

/** Who is at the other end, as far as the listener knows. */
export interface Peer {
  /** `address:port`, `[address]:port`, or `unix`. */
  readonly remote: string
  /** The address alone, for limits per address; `unix` for all of a Unix socket. */
  readonly address: string
  readonly transport: Transport
  /** null where none was asked for or none was given. */
  readonly certificate: ClientCertificate | null
}

const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i

/** The peer of an open connection. */
export function peerOf(socket: Socket, transport: Transport): Peer {
  const certificate = socket instanceof TLSSocket ? certificateOf(socket) : null
  if (transport === 'unix') return { remote: 'unix', address: 'unix', transport, certificate }
  // An IPv4 client of a socket for both is the same client as on a socket for IPv4.
  const address = (socket.remoteAddress ?? 'unknown').replace(MAPPED, '')
  const host = address.includes(':') ? `[${address}]` : address
  return { remote: `${host}:${socket.remotePort ?? 0}`, address, transport, certificate }
}

function certificateOf(socket: TLSSocket): ClientCertificate | null {
  // Only what was verified exists for whoever asks later.
  if (!socket.authorized) return null
  const given = socket.getPeerCertificate()
  // The types say that there always is one; without a certificate the object is empty.
  const subject = given.subject as { CN?: string | string[] } | undefined
  if (subject === undefined) return null
  const name = subject.CN
  return {
    commonName: typeof name === 'string' ? name : null,
    subjectAltNames: alternativeNames(given.subjectaltname ?? ''),
    fingerprint256: given.fingerprint256,
    serialNumber: given.serialNumber,
  }
}

/** Node writes a name that holds a comma or a quote as a JSON string: a comma in a name makes no second name. */
function alternativeNames(text: string): string[] {
  return [...text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(
    ([, kind = '', name = '']) => {
      const value = name.startsWith('"') ? String(JSON.parse(name)) : name
      return `${kind}:${value}`
    },
  )
}
