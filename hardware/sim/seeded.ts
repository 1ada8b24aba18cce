/** A stream of numbers from 0 to 1 (1 excluded) that is the same for the same seed (sfc32). */
export function seededRandom(seed: number): () => number {
  let a = seed | 0
  let b = (seed ^ 0x9e3779b9) | 0
  let c = (seed ^ 0x85ebca6b) | 0
  let counter = 1
  const next = (): number => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 0x1_0000_0000
  }
  // The first outputs still resemble the seed.
  for (let round = 0; round < 12; round += 1) next()
  return next
}

/** A seed for one part of a simulation, so that adding a device changes no other's values. */
export function seedFor(seed: number, name: string): number {
  let hash = seed ^ 0x811c9dc5
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  return hash
}
