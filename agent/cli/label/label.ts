import { writeFileSync } from 'node:fs'
import type { ClaimLabel } from '../../../cloud-sync/contract/index.ts'
import { parseLabel } from '../../../cloud-sync/codec/index.ts'
import { AgentError } from '../../errors.ts'
import { labelPdf } from './pdf.ts'
import { qrPng } from './png.ts'
import { qrModules, qrText } from './qr.ts'

/** Letters of the code that stand together, so that they can be read aloud. */
const GROUP = 5

/** A label as somebody typed or scanned it. @throws AgentError USAGE where it was misread */
export function labelIn(text: string): ClaimLabel {
  const label = parseLabel(text)
  if (label === undefined)
    throw new AgentError(
      'USAGE',
      'this is no label, or it was misread: GC1:MODEL:SERIAL:KEY:CODE:CHECK, every character of it',
    )
  return label
}

/** Where a label is to be drawn. */
export interface LabelFiles {
  readonly png?: string
  readonly pdf?: string
}

/** Draws the label; answers how it looks on a terminal. The files are the owner's alone: who has one may reserve. */
export function drawLabel(text: string, { png, pdf }: LabelFiles): string {
  const modules = qrModules(text)
  const mode = { mode: 0o600 }
  if (png !== undefined) writeFileSync(png, qrPng(modules), mode)
  if (pdf !== undefined) writeFileSync(pdf, labelPdf(modules, linesOf(labelIn(text), text)), mode)
  return qrText(modules)
}

function linesOf({ model, serial, keyFp, code }: ClaimLabel, text: string): string[] {
  const groups = code.match(new RegExp(`.{1,${GROUP}}`, 'g')) ?? []
  const check = text.slice(text.lastIndexOf(':') + 1)
  return [
    model,
    serial,
    `key ${keyFp}`,
    groups.slice(0, 2).join(' '),
    groups.slice(2).join(' '),
    `check ${check}`,
  ]
}
