import { parseExposition, type Sample } from './exposition.ts'

const PREFIX = 'headgate_broker_'

/** Figures of a running broker at one moment. */
export interface MetricsPage {
  /** Sum of metrics that are named without their prefix, as `clients`, or with one label's value, as `closed_total/protocol`. */
  sum(...names: string[]): number
}

/** Reads the page strictly. */
export async function metricsAt(url: string | null): Promise<MetricsPage> {
  if (url === null) throw new Error('this broker has no metrics')
  const families = parseExposition(await (await fetch(url)).text())
  const of = (text: string): readonly Sample[] => {
    const [name = '', label] = text.split('/')
    const samples = families.get(`${PREFIX}${name}`)?.samples ?? []
    return samples.filter(({ labels }) => label === undefined || [...labels.values()].includes(label))
  }
  return { sum: (...names) => names.flatMap(of).reduce((sum, { value }) => sum + value, 0) }
}
