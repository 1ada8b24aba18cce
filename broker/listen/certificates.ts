import { X509Certificate } from 'node:crypto'
import { open } from 'node:fs/promises'
import { createSecureContext, type TlsOptions } from 'node:tls'
import type { BrokerLog } from '../log.ts'
import { BrokerError } from '../errors.ts'
import { CERTIFICATE_FILE_BYTES_MAX } from './limits.ts'
import type { TlsFiles } from './spec.ts'

/** Reads and tries the files; what comes back is good for `createServer` and `setSecureContext`. @throws BrokerError BROKER_TLS_INVALID */
export async function tlsOptionsOf(files: TlsFiles, log: BrokerLog): Promise<TlsOptions> {
  const [cert, key, ca] = await Promise.all([
    read(files.cert),
    read(files.key),
    files.ca === undefined ? undefined : read(files.ca),
  ])
  const asks = files.clientCertificate ?? 'none'
  const options: TlsOptions = {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    minVersion: 'TLSv1.2',
    requestCert: asks !== 'none',
    rejectUnauthorized: asks === 'require',
  }
  try {
    createSecureContext(options) // throws where the key is another certificate's
    tellExpiry(files, { cert, log })
    if (ca !== undefined) new X509Certificate(ca)
  } catch (cause) {
    throw new BrokerError('BROKER_TLS_INVALID', `${Object.values(files).join(', ')}: ${reasonOf(cause)}`, {
      cause,
    })
  }
  return options
}

/** Not a fault: a gateway whose clock is not set yet must listen all the same. */
function tellExpiry(files: TlsFiles, { cert, log }: { cert: Buffer; log: BrokerLog }): void {
  const { validFrom, validTo } = new X509Certificate(cert)
  const now = Date.now()
  if (now < Date.parse(validFrom) || now > Date.parse(validTo)) {
    log.warn({ cert: files.cert, validFrom, validTo }, 'the certificate of a listener is not valid today')
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    const file = await open(path)
    try {
      const { size } = await file.stat()
      if (size > CERTIFICATE_FILE_BYTES_MAX) throw new Error('is larger than 1 MiB')
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw new BrokerError('BROKER_TLS_INVALID', `${path} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
