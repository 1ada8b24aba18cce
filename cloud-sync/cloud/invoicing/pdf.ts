/** A4 in points, and where text begins. */
const PAGE = { width: 595, height: 842, margin: 56 }
const LEADING = 1.4

/** A line of text; `gap` is empty space before it, points. */
export interface PdfLine {
  readonly text: string
  /** Begins there on the same line, from the left edge, points. */
  readonly right?: string
  readonly size?: number
  readonly bold?: boolean
  readonly gap?: number
}

/** One page of text as a PDF (ISO 32000-1), in the fonts that every reader has; the same lines give the same bytes. */
export function textPdf(title: string, lines: readonly PdfLine[]): Buffer {
  const content = contentOf(lines)
  const font = (name: string): string =>
    `<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`
  return assembled([
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${PAGE.width} ${PAGE.height}] ` +
      '/Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> /Contents 4 0 R >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    font('Helvetica'),
    font('Helvetica-Bold'),
    `<< /Title (${escaped(title)}) >>`,
  ])
}

const TEXT_SIZE = 10
/** Where the second column begins. */
const RIGHT_AT = 240

function contentOf(lines: readonly PdfLine[]): string {
  let y = PAGE.height - PAGE.margin
  return lines
    .flatMap(({ text, right, size = TEXT_SIZE, bold = false, gap = 0 }) => {
      y -= gap + size * LEADING
      const put = (words: string, x: number): string =>
        `BT /${bold ? 'F2' : 'F1'} ${size} Tf ${x} ${y.toFixed(1)} Td (${escaped(words)}) Tj ET`
      return [put(text, PAGE.margin), ...(right === undefined ? [] : [put(right, PAGE.margin + RIGHT_AT)])]
    })
    .join('\n')
}

/** These fonts have the letters of Western Europe; what else there is becomes a question mark. */
const escaped = (text: string): string =>
  text.replaceAll(/[^\x20-\x7e\xa1-\xff]/gu, '?').replaceAll(/[\\()]/g, String.raw`\$&`)

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
  const trailer = `trailer\n<< /Size ${count} /Root 1 0 R /Info ${count - 1} 0 R >>`
  return Buffer.from(`${text}${table}${trailer}\nstartxref\n${text.length}\n%%EOF\n`, 'latin1')
}
