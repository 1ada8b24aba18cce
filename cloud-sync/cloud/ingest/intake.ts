import { type Opened, openAside, type OpenSettings } from './open.ts'

/** Messages whose signature is being checked; beyond it they are dropped unanswered, and their gateways send them again. */
const OPENING_MAX = 1_024

/** Where messages from the link come in. */
export interface Intake {
  /** False where too many are being checked already. */
  take(topic: string, payload: Uint8Array): boolean
  /** Resolves when all that was taken was heard. */
  idle(): Promise<void>
}

/**
 * Opens messages, several at a time, because a signature costs a quarter of a millisecond and can be checked beside this
 * thread; they are heard one by one, in the order they came.
 */
export function createIntake(
  settings: OpenSettings,
  hear: (opened: Opened, payload: Uint8Array) => void,
): Intake {
  let opening = 0
  let last: Promise<void> = Promise.resolve()
  const heardAfter = async (
    before: Promise<void>,
    message: { readonly opened: Promise<Opened>; readonly payload: Uint8Array },
  ): Promise<void> => {
    const opened = await message.opened
    await before
    opening -= 1
    hear(opened, message.payload)
  }
  return {
    take(topic, payload) {
      if (opening >= OPENING_MAX) return false
      opening += 1
      last = heardAfter(last, { opened: openAside(settings, topic, payload), payload })
      return true
    },
    async idle() {
      while (opening > 0) await last
    },
  }
}
