import { evenModels, type Models, toModel } from './range-coder.ts'

/**
 * Where each adaptive probability lives. A set of integer contexts knows the usual size of a prediction error in
 * `SCALES` steps of half an octave (from 1/16 of a unit to 8 units; larger errors are shifted down to the last two).
 */
export const SCALES = 14
export const FRACTIONS = 8
export const NEARNESSES = 4
export const CLASSES = 12
export const TOPS = 8
const MANTISSA_CLASSES = 6

const SIGNS = SCALES * FRACTIONS
const CLASS_BINS = SCALES * NEARNESSES * CLASSES
const MANTISSAS = SCALES * MANTISSA_CLASSES * TOPS
const INTEGER_SET = SIGNS + CLASS_BINS + MANTISSAS

/** One set for values, one for times. */
export const VALUE_SET = 0
export const TIME_SET = INTEGER_SET

export const signContext = (set: number, scale: number, fraction: number): number =>
  set + scale * FRACTIONS + fraction
export const classContext = (set: number, row: number, bin: number): number =>
  set + SIGNS + row * CLASSES + Math.min(bin, CLASSES - 1)
export const mantissaContext = (set: number, row: number, top: number): number =>
  set + SIGNS + CLASS_BINS + row * TOPS + top
export const classRow = (scale: number, nearness: number): number => scale * NEARNESSES + nearness
export const mantissaRow = (scale: number, size: number): number =>
  scale * MANTISSA_CLASSES + Math.min(size, MANTISSA_CLASSES - 1)

const FIELDS_FROM = 2 * INTEGER_SET
/** Contexts of one header field: enough for a tree of 64 classes. */
export const FIELD = 64
/** Header fields; the order is part of the format. */
const FIELDS = [
  'columns',
  'channel',
  'reference',
  'format',
  'step',
  'digits',
  'predictor',
  'scale',
  'scaleStep',
  'first',
  'count',
  'countStep',
  'firstTime',
  'period',
  'timePredictor',
  'timeScale',
  'timeScaleStep',
  'skipped',
  'sameTimes',
  'flags',
  'kind',
  'label',
  'textLength',
  'bigLength',
] as const
type Field = (typeof FIELDS)[number]
const field = (name: Field): number => FIELDS_FROM + FIELDS.indexOf(name) * FIELD

/** First context of each header field. */
export const AT = Object.fromEntries(FIELDS.map((name) => [name, field(name)])) as Readonly<
  Record<Field, number>
>
/** Two trees of 8 bits, for the halves of a UTF-16 unit. */
export const TEXT_AT = FIELDS_FROM + FIELDS.length * FIELD
/** Trees for the difference of two columns' first numbers, by how much the columns vary. */
export const BESIDE_ROWS = 16
export const BESIDE_AT = TEXT_AT + 512
const CONTEXTS = BESIDE_AT + BESIDE_ROWS * FIELD

/** How much the first probabilities are trusted, in adaptions. */
const PRIOR_SEEN = 12

/** Fresh models: errors are expected to be bell-shaped around the prediction, everything else even. */
export function freshModels(): Models {
  return { ones: PRIORS.ones.slice(), seen: PRIORS.seen.slice() }
}

const PRIORS = priors()

function priors(): Models {
  const models = evenModels(CONTEXTS)
  const set = (context: number, ones: number, all: number): void => {
    if (all <= 0) return
    models.ones[context] = toModel(ones / all)
    models.seen[context] = PRIOR_SEEN
  }
  for (const base of [VALUE_SET, TIME_SET]) {
    for (let scale = 0; scale < SCALES; scale += 1) {
      const sigma = (1.25 * errorOfStep(scale) + 0.02) * 1.05
      for (let fraction = 0; fraction < FRACTIONS; fraction += 1) {
        const ahead = 1 - (fraction + 0.5) / FRACTIONS
        const up = tail(ahead - 0.5, sigma)
        set(signContext(base, scale, fraction), up, up + tail(0.5 - ahead, sigma))
      }
      for (let nearness = 0; nearness < NEARNESSES; nearness += 1) {
        const start = (nearness + 0.5) / NEARNESSES - 0.5
        const beyond = (size: number): number => tail(start + 2 ** size - 1, sigma)
        for (let bin = 0; bin < CLASSES; bin += 1) {
          set(classContext(base, classRow(scale, nearness), bin), beyond(bin + 1), beyond(bin))
        }
      }
      mantissaPriors(sigma, (size, top, ones, all) => {
        set(mantissaContext(base, mantissaRow(scale, size), top), ones, all)
      })
    }
  }
  return models
}

/** Within a class of sizes the nearer half is the likelier one. */
function mantissaPriors(
  sigma: number,
  set: (size: number, top: number, ones: number, all: number) => void,
): void {
  for (let size = 1; size < MANTISSA_CLASSES; size += 1) {
    for (let top = 1; top < TOPS; top += 1) {
      const depth = 31 - Math.clz32(top)
      if (depth >= size) continue
      const width = 2 ** (size - depth)
      const from = 2 ** size - 1 + (top - 2 ** depth) * width
      const all = tail(from, sigma) - tail(from + width, sigma)
      set(size, top, tail(from + width / 2, sigma) - tail(from + width, sigma), all)
    }
  }
}

/** The error in the middle of a step of half an octave, from sixteenths of a unit on. */
export function errorOfStep(step: number): number {
  return (2 ** (step >> 1) * (step % 2 === 0 ? 1.25 : 1.75) - 1) / 16
}

/**
 * Chance of an error beyond `x` for a bell of width sigma, by the rational form of Student's t with 4 degrees of
 * freedom: only IEEE basic operations, so that every machine computes the same priors.
 */
function tail(x: number, sigma: number): number {
  const t = (1.25 * x) / sigma
  const s = 1 + (t * t) / 4
  const half = ((3 / 8) * t) / Math.sqrt(s)
  return Math.max(1e-9, 0.5 - half * (1 - (t * t) / (12 * s)))
}
