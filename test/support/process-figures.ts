import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const TICKS_A_SECOND = 100
const KIB = 1024

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // the process is gone
  }
}

/** Fields of /proc/PID/stat after the name, which may hold anything: state, parent, … */
const statOf = (pid: number): string[] => {
  const text = read(`/proc/${pid}/stat`)
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** This process and all that it started, directly or not. */
function treeOf(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), Number(statOf(Number(name))[1])] as const)
  const tree = [pid]
  for (const member of tree) {
    tree.push(...parents.filter(([, parent]) => parent === member).map(([child]) => child))
  }
  return tree
}

/** Processor time of a process and its children, user and system, in steps of 10 ms. */
export function cpuSeconds(pid: number): number {
  const ticks = treeOf(pid).map((one) => {
    const [user = 0, system = 0] = statOf(one).slice(11, 13).map(Number)
    return user + system
  })
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_A_SECOND
}

/** The same with that of every child that has ended and was waited for. */
export function cpuSecondsEver(pid: number): number {
  const ticks = treeOf(pid).flatMap((one) => statOf(one).slice(11, 15).map(Number))
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_A_SECOND
}

/** Memory of a process that is in RAM, MiB; 0 where it is gone. */
export const residentMiB = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / KIB

/** The same with what it shares with others divided among them, MiB. */
export const proportionalMiB = (pid: number): number =>
  Number(/^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / KIB

/** The most that was ever in RAM since `forgetPeak`, MiB: the kernel's own mark, so that no peak falls between two looks. */
export const peakMiB = (pid: number): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / KIB

/** Begins a new `peakMiB`. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}
