import { setTimeout as sleep } from 'node:timers/promises'
import { type EdgeClient, type EdgeSite, GATEWAY, inTopic, until } from './edge-site.ts'

/** What is not to come has this long to come all the same, ms. */
export const QUIET_MS = 200

/** What came of devices: every member may know how the gateway itself is. */
export const ofDevices = ({ heard }: EdgeClient): string[] =>
  heard.filter((line) => !line.startsWith(`headgate/${GATEWAY}/status `))

/** A client that subscribes to everything. */
export async function listening(
  site: EdgeSite,
  login: string,
  key: string,
  options: object = {},
): Promise<EdgeClient> {
  const client = await site.connect(login, key, options)
  await client.mqtt.subscribeAsync('#', { qos: 1 })
  return client
}

/** False where the broker refuses. */
export const logsIn = (site: EdgeSite, login: string, key: string): Promise<boolean> =>
  site.connect(login, key).then(
    ({ mqtt }) => mqtt.endAsync(true).then(() => true),
    () => false,
  )

/** An owner's program, which says something new about devices; who else hears it may read them. */
export class Teller {
  readonly #owner: EdgeClient
  #texts = 0

  constructor(owner: EdgeClient) {
    this.#owner = owner
  }

  /** Logs in as somebody who may read and operate everything, as soon as they may. */
  static async at(site: EdgeSite, login: string, key: string): Promise<Teller> {
    await until('the owner is known', () => logsIn(site, login, key))
    return new Teller(await listening(site, login, key))
  }

  /** Whether the owner was told this. */
  has(text: string): boolean {
    return this.#owner.has(text)
  }

  get heard(): readonly string[] {
    return this.#owner.heard
  }

  /** Resolves with the text when whoever may hear it has. */
  async say(device: string, { retain = false } = {}): Promise<string> {
    const text = `${device}-${(this.#texts += 1)}`
    await this.#owner.mqtt.publishAsync(inTopic(device), text, { qos: 1, retain })
    await until('the owner hears it', () => this.#owner.has(text))
    await sleep(QUIET_MS)
    return text
  }

  async isHeardBy(who: EdgeClient, device: string): Promise<boolean> {
    return who.has(await this.say(device))
  }

  /** Whether what somebody publishes about a device comes through, as an order to it or as its own word. */
  async obeys(who: EdgeClient, device: string): Promise<boolean> {
    const text = `order-${device}-${(this.#texts += 1)}`
    // Who is closed meanwhile has said nothing: an acknowledgement would never come.
    const closed = new Promise<void>((resolve) =>
      who.mqtt.once('close', () => {
        resolve()
      }),
    )
    for (const topic of [inTopic(device), `headgate/${GATEWAY}/${device}/cmd`])
      if (who.mqtt.connected) await Promise.race([who.mqtt.publishAsync(topic, text, { qos: 1 }), closed])
    await this.say(device)
    return this.#owner.has(text)
  }
}
