import { existsSync, statSync } from 'node:fs'
import { PRESENCE_MS } from '../../cloud-sync/contract/index.ts'

const LOOK_EVERY_MS = 1_000

/** Whether somebody stands at the gateway. */
export interface Presence {
  /** The button was pressed, or a proof made on site, within the last two minutes. */
  isThere(): boolean
  /** Calls back when the button is pressed; the returned way stops it. */
  onPressed(listener: () => void): () => void
}

/** A gateway without a button: only what is proven over a local way in counts. */
export const NO_BUTTON: Presence = { isThere: () => false, onPressed: () => () => undefined }

/**
 * A button as a file that something of the machine touches when it is pressed (a udev rule, a script at a GPIO line). What
 * was touched before the start does not count, and the wall clock plays no part.
 */
export function buttonFile(path: string, monoMs: () => number): Presence {
  const stampOf = (): number => (existsSync(path) ? statSync(path).mtimeMs : 0)
  let stamp = stampOf()
  let pressedAt = -Infinity
  const look = (): boolean => {
    const now = stampOf()
    const isNew = now !== stamp && now !== 0
    stamp = now
    if (isNew) pressedAt = monoMs()
    return isNew
  }
  return {
    isThere() {
      look()
      return monoMs() - pressedAt <= PRESENCE_MS
    },
    onPressed(listener) {
      const timer = setInterval(() => {
        if (look()) listener()
      }, LOOK_EVERY_MS)
      timer.unref()
      return () => {
        clearInterval(timer)
      }
    },
  }
}
