/** Digits of an ICCID that tell SIMs apart; a twentieth one only checks them, and many files leave it out. */
const ICCID_DIGITS = 19

/** A SIM as both sides may write it: spaces, hyphens, the filler F and the check digit do not matter. */
export function simOf(text: string): string {
  const plain = text.replaceAll(/[\s-]/g, '').toUpperCase().replace(/F+$/, '')
  return /^\d{19,20}$/.test(plain) ? plain.slice(0, ICCID_DIGITS) : plain
}

export const monthlyKey = (sim: string, month: string): string => `${month} ${sim}`
