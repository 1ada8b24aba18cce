import { mkdirSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MailPort } from './port.ts'

/** Writes each mail as `ID.eml` into a folder (0700): for a cloud without a mail server, where somebody else picks it up. */
export function fileOutbox(folder: string, from: string): MailPort {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    async send({ id, to, subject, body }) {
      const path = join(folder, `${id}.eml`)
      const headers = [
        `From: ${from}`,
        `To: ${to}`,
        `Subject: ${oneLine(subject)}`,
        `Message-ID: <${id}@headgate>`,
      ]
      const text = [...headers, 'Content-Type: text/plain; charset=utf-8', '', body].join('\n')
      // Renamed when whole: who looks into the folder never reads half a mail.
      await writeFile(`${path}.part`, text, { mode: 0o600 })
      await rename(`${path}.part`, path)
    },
  }
}

/** A name with a line break must not become a header. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, ' ')
