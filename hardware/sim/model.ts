/** How a simulated quantity moves: around a centre, slowly, with noise on top. */
export interface Motion {
  readonly centre: number
  /** Half the height of the slow wave. */
  readonly swing: number
  /** Length of the slow wave. */
  readonly periodMs: number
  /** Standard deviation of what is added to each value. */
  readonly noise: number
}

/** The value at a time since the start. Values for ever later times need `random` in the same order to be the same. */
export function createModel(motion: Motion, random: () => number): (elapsedMs: number) => number {
  const phase = random() * 2 * Math.PI
  return (elapsedMs) => {
    const wave = Math.sin((2 * Math.PI * elapsedMs) / motion.periodMs + phase)
    return motion.centre + motion.swing * wave + (motion.noise === 0 ? 0 : motion.noise * normal(random))
  }
}

/** One number of the standard normal distribution (Box and Muller). */
function normal(random: () => number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return radius * Math.cos(2 * Math.PI * random())
}
