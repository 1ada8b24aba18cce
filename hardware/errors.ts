/** Every error code of the hardware side with its hint; docs/errors.md explains each, a test compares. */
export const HARDWARE_ERRORS = {
  PROFILE_INVALID: 'Correct the lines named above; `headgate profile check FILE` shows the same.',
  PROFILE_EXAMPLE_FAILED: 'Either the example or the channel is wrong: compare both with the device manual.',
  LINE_OVERLOADED:
    'Poll less often, read fewer registers, raise the baud rate, or move devices to another line.',
  LINE_UNAVAILABLE: 'Check that the adapter is plugged in and that no other program holds it.',
  SERIAL_NO_ANSWER: 'Check power, the A/B wiring, the address and the baud rate.',
  LINE_REFUSED: 'Correct the line entry; the others go on without it.',
  DEVICE_REFUSED: 'Correct the device entry; the others go on without it.',
  SCENARIO_INVALID: 'Correct the entries named above.',
} as const
export type HardwareErrorCode = keyof typeof HARDWARE_ERRORS

/** A failure on the hardware side; prints as `CODE: sentence. hint`. */
export class HardwareError extends Error {
  readonly code: HardwareErrorCode
  readonly hint: string
  constructor(code: HardwareErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'HardwareError'
    this.code = code
    this.hint = HARDWARE_ERRORS[code]
  }
}
