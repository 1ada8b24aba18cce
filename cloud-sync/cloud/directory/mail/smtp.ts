import { createTransport } from 'nodemailer'
import type { MailPort } from './port.ts'

const TIMEOUT_MS = 20_000

/** Hands mails to an SMTP server, `smtp://user:password@host:port` or `smtps://…`. */
export function smtpMail(url: string, from: string): MailPort & { close(): void } {
  const transport = createTransport(url, { from })
  return {
    async send({ id, to, subject, body }) {
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      const given = transport.sendMail({ to, subject, text: body, messageId: `<${id}@headgate>` })
      await Promise.race([given, aborted(signal)])
    },
    close: () => {
      transport.close()
    },
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('the mail server did not answer in time'))
    })
  })
}
