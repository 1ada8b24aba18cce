import { execFileSync } from 'node:child_process'
import { createHash, createPublicKey, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** PEM files. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** An authority of its own, made by openssl in a folder. */
export class Authority {
  readonly #folder: string
  readonly #name: string
  #issued = 0

  constructor(folder: string, name = 'authority') {
    this.#folder = folder
    this.#name = name
    const subject = ['-subj', `/CN=${name}`, '-days', '2']
    openssl(['req', '-x509', ...NEW_KEY, ...subject, '-keyout', this.#file('key'), '-out', this.cert])
  }

  /** The authority's own certificate. */
  get cert(): string {
    return this.#file('pem')
  }

  /** For 127.0.0.1 and localhost. */
  server(): CertificateFiles {
    return this.#issue('localhost', [
      'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1',
      'extendedKeyUsage=serverAuth',
    ])
  }

  /** For a client of this name; other `extensions` make it unfit. */
  client(
    commonName: string,
    extensions: readonly string[] = ['extendedKeyUsage=clientAuth'],
  ): CertificateFiles {
    return this.#issue(commonName, extensions)
  }

  #issue(commonName: string, extensions: readonly string[]): CertificateFiles {
    this.#issued += 1
    const base = join(this.#folder, `${this.#name}-${this.#issued}`)
    const files = { cert: `${base}.pem`, key: `${base}.key` }
    writeFileSync(`${base}.ext`, extensions.join('\n'))
    const subject = `/CN=${commonName.replaceAll('/', '\\/')}`
    openssl(['req', ...NEW_KEY, '-subj', subject, '-keyout', files.key, '-out', `${base}.csr`])
    const signing = ['-CA', this.cert, '-CAkey', this.#file('key'), '-set_serial', String(this.#issued)]
    const made = ['-days', '2', '-extfile', `${base}.ext`, '-out', files.cert]
    openssl(['x509', '-req', '-in', `${base}.csr`, ...signing, ...made])
    return files
  }

  #file(extension: string): string {
    return join(this.#folder, `${this.#name}.${extension}`)
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore', timeout: 20_000 })
}

/** SHA-256 of the public key in base64, by which Chromium can be told to trust a certificate. */
export function publicKeyPin(cert: string): string {
  const key = createPublicKey(
    new X509Certificate(readFileSync(cert)).publicKey.export({ type: 'spki', format: 'pem' }),
  )
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64')
}
