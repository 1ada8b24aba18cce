import { type Modules, QUIET_MODULES } from './qr.ts'

/** Points of a millimetre. */
const MM = 72 / 25.4
/** The label: 80 mm by 40 mm, the code on the left, the words on the right. */
const PAGE = { width: 80 * MM, height: 40 * MM }
const CODE_SIDE = 34 * MM
const LINE_STEP = 9.5

/**
 * One label as a PDF (ISO 32000-1): the code as shapes, so that any printer prints it sharp, and the same words to read
 * and type. @param lines ASCII, some 24 characters each
 */
export function labelPdf(modules: Modules, lines: readonly string[]): Buffer {
  const content = `${shapes(modules)}\n${words(lines)}`
  return assembled([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${shown(PAGE.width)} ${shown(PAGE.height)}] ` +
      '/Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>',
  ])
}

function shapes(modules: Modules): string {
  const side = CODE_SIDE / (modules.length + 2 * QUIET_MODULES)
  const bottom = (PAGE.height - CODE_SIDE) / 2
  const squares = modules.flatMap((row, down) =>
    row.flatMap((isDark, right) => {
      if (!isDark) return []
      const x = bottom + (right + QUIET_MODULES) * side
      const y = bottom + CODE_SIDE - (down + QUIET_MODULES + 1) * side
      return [`${shown(x)} ${shown(y)} ${shown(side)} ${shown(side)} re`]
    }),
  )
  return `0 g\n${squares.join('\n')}\nf`
}

function words(lines: readonly string[]): string {
  const left = CODE_SIDE + 3 * MM
  const top = PAGE.height / 2 + ((lines.length - 1) * LINE_STEP) / 2
  const told = lines.map((line) => `(${line.replaceAll(/[\\()]/g, String.raw`\$&`)}) Tj T*`)
  return `BT /F1 7.5 Tf ${LINE_STEP} TL ${shown(left)} ${shown(top)} Td\n${told.join('\n')}\nET`
}

const shown = (points: number): string => points.toFixed(3)

/** Header, objects, and the table of where each begins. */
function assembled(objects: readonly string[]): Buffer {
  let text = '%PDF-1.4\n'
  const offsets: number[] = []
  for (const [at, object] of objects.entries()) {
    offsets.push(text.length)
    text += `${at + 1} 0 obj\n${object}\nendobj\n`
  }
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const count = objects.length + 1
  const table = `xref\n0 ${count}\n0000000000 65535 f \n${entries}`
  return Buffer.from(
    `${text}${table}trailer\n<< /Size ${count} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`,
    'latin1',
  )
}
