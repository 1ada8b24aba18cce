/** A cell of a table; null is an empty cell, an empty text is `""`. */
export type Field = string | null

const NEEDS_QUOTES = /[",\r\n]/
const LINE_END = '\r\n'

/** One line of RFC 4180, its end included. */
export const csvLine = (fields: readonly Field[]): string => fields.map(fieldText).join(',') + LINE_END

function fieldText(field: Field): string {
  if (field === null) return ''
  return field === '' || NEEDS_QUOTES.test(field) ? `"${field.replaceAll('"', '""')}"` : field
}

/** A field, quoted or plain, and what ends it: a comma, a line's end, or the end of the text. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y

/** Reads a whole text of RFC 4180; undefined where it is none. */
export function parseCsv(text: string): Field[][] | undefined {
  const rows: Field[][] = []
  let row: Field[] = []
  for (let at = 0; at < text.length; ) {
    FIELD.lastIndex = at
    const [all, quoted, plain = '', end] = FIELD.exec(text) ?? []
    if (all === undefined) return undefined
    at += all.length
    row.push(quoted === undefined ? (plain === '' ? null : plain) : quoted.replaceAll('""', '"'))
    const atEnd = at === text.length
    if (end === ',' && atEnd) row.push(null)
    if (end !== ',' || atEnd) {
      rows.push(row)
      row = []
    }
  }
  return rows
}
