/**
 * UCUM codes whose SenML name (RFC 8428, RFC 8798) is another. A code that is not here keeps its spelling, which is
 * right for the many that both share (V, A, W, Hz, Cel, Pa, hPa, mm, m/s …) and loses nothing for the rest.
 */
const SENML_NAMES = new Map([
  ['1', '/'],
  ['%', '/100'],
  ['{RH}%', '%RH'],
  ['%{RH}', '%RH'],
  ['[ppm]', 'ppm'],
  ['[ppb]', 'ppb'],
  ['L', 'l'],
  ['L/s', 'l/s'],
  ['V.A', 'VA'],
  ['kV.A', 'kVA'],
  ['V.A{reactive}', 'var'],
  ['var', 'var'],
  ['kvar', 'kvar'],
  ['W.h', 'Wh'],
  ['kW.h', 'kWh'],
  ['var.h', 'varh'],
  ['kvar.h', 'kvarh'],
  ['A.h', 'Ah'],
  ['[pH]', 'pH'],
  ['dB[mW]', 'dBm'],
  ['B[W]', 'dBW'],
  ['/min', '1/min'],
  ['{count}', 'count'],
  ['m3/m3', '/'],
])

/** The SenML unit for a UCUM code, for the field `u`; the code itself where SenML has no other name for it. */
export const senmlUnit = (ucum: string): string => SENML_NAMES.get(ucum) ?? ucum
