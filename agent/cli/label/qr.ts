import qrcode from 'qrcode-generator'

/** Light modules around the code (ISO/IEC 18004, 6.3.8): readers do not find it without them. */
export const QUIET_MODULES = 4

/** A QR code as rows of modules, true = dark, without the quiet zone. */
export type Modules = readonly (readonly boolean[])[]

/** @param text ASCII. Level M: it is still read where 15 % of the label is scratched. */
export function qrModules(text: string): Modules {
  const code = qrcode(0, 'M')
  code.addData(text, 'Byte')
  code.make()
  const side = Array.from({ length: code.getModuleCount() }, (_, at) => at)
  return side.map((row) => side.map((column) => code.isDark(row, column)))
}

/** For a terminal: two rows of modules in a line, light on dark or dark on light does not matter to readers of today. */
export function qrText(modules: Modules): string {
  const side = modules.length + 2 * QUIET_MODULES
  const isDark = (row: number, column: number): boolean =>
    modules[row - QUIET_MODULES]?.[column - QUIET_MODULES] ?? false
  const lines: string[] = []
  for (let row = 0; row < side; row += 2) {
    let line = ''
    for (let column = 0; column < side; column += 1) {
      const upper = isDark(row, column) ? 2 : 0
      line += HALVES[upper + (isDark(row + 1, column) ? 1 : 0)] ?? ''
    }
    lines.push(line)
  }
  return lines.join('\n')
}
/** Light is drawn, dark is left: most terminals are dark. */
const HALVES = ['█', '▀', '▄', ' ']
