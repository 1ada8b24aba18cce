import type { DirectoryRow } from '../../storage/index.ts'
import { DirectoryRefusal } from '../errors.ts'
import type { DirectoryWorld } from '../kernel/write.ts'
import type { MailPort } from './port.ts'

const MAILS_A_ROUND = 50
const PAUSE_MS_MIN = 60_000
const PAUSE_MS_MAX = 6 * 3_600_000

export interface Delivered {
  readonly sent: number
  /** The last failure; the mail waits and is tried again. */
  readonly failure: DirectoryRefusal | undefined
}

/**
 * Hands over the mails whose time has come. What was sent keeps no text: it may hold a secret. A mail that leaves twice
 * after a crash has the same id, so that a mail server may drop it.
 */
export async function deliverMail({ store, now }: DirectoryWorld, port: MailPort): Promise<Delivered> {
  let sent = 0
  let failure: DirectoryRefusal | undefined
  for (const mail of await store.read.dueMail(now(), MAILS_A_ROUND)) {
    const { id, recipient: to, subject, body } = mail
    try {
      await port.send({ id, to, subject, body })
    } catch (cause) {
      failure = new DirectoryRefusal('DIRECTORY_MAIL_FAILED', `mail ${id} was not taken over`, { cause })
      await store.transaction((tx) => tx.put('mail', triedAgain(mail, now())))
      continue
    }
    await store.transaction((tx) => tx.put('mail', { ...mail, body: '', sent_at: now() }))
    sent += 1
  }
  return { sent, failure }
}

function triedAgain(mail: DirectoryRow<'mail'>, now: number): DirectoryRow<'mail'> {
  const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(mail.tries, 20))
  return { ...mail, tries: mail.tries + 1, next_try_at: now + pause }
}
