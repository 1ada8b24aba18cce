/** An address as it is compared: case does not matter, `a+b@` and `a@` are two addresses. */
export const foldEmail = (email: string): string => email.normalize('NFC').toLowerCase()

/** A name as it is compared and searched: without case, accents and doubled spaces. */
export const foldName = (name: string): string =>
  name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/\s+/gu, ' ').trim()
