import { createServer, type Server, type Socket } from 'node:net'

/** What the modem counted since it was switched on, bytes. */
export interface Carried {
  readonly sent: number
  readonly received: number
}

const REGISTERED = ',5,"0001","00000001",7'
/** What a u-blox LARA-R211 says, in ECM and router mode: roaming in LTE, a SIM that needs no PIN. */
const SAYS: Readonly<Record<string, string>> = {
  ATI: 'LARA-R211',
  'AT+CGMI': 'u-blox',
  'AT+GMI': 'u-blox',
  'AT+CGMM': 'LARA-R211',
  'AT+GMM': 'LARA-R211',
  'AT+CGMR': '30.42',
  'AT+GCAP': '+GCAP: +CGSM',
  'AT+CGSN': '860000000000001',
  'AT+CIMI': '262010000000001',
  'AT+CPIN?': '+CPIN: READY',
  'AT+UPINCNT': '+UPINCNT: 3,3,10,10',
  'AT+CCID': '+CCID: 8949020000012345678',
  'AT+CREG?': `+CREG: 2${REGISTERED}`,
  'AT+CGREG?': `+CGREG: 2${REGISTERED}`,
  'AT+CEREG?': `+CEREG: 2${REGISTERED}`,
  'AT+CSQ': '+CSQ: 21,99',
  'AT+CESQ=?': '+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-34,255),(0-34,255),(0-97,255)',
  'AT+CESQ': '+CESQ: 99,99,255,255,20,46',
  'AT+CCLK?': '+CCLK: "26/11/22,08:30:00+04"',
  'AT+CFUN?': '+CFUN: 1',
  'AT+URAT=?': '+URAT: (0-3)',
  'AT+URAT?': '+URAT: 1,2',
  'AT+UBANDSEL?': '+UBANDSEL: 800,1800,2600',
  'AT+UUSBCONF?': '+UUSBCONF: 2,"ECM","","0x1143"',
  'AT+UBMCONF?': '+UBMCONF: 1',
  'AT+CGDCONT=?': '+CGDCONT: (1-4),"IP",,,(0),(0)',
  'AT+CGDCONT?': '+CGDCONT: 1,"IP","internet.m2m","0.0.0.0",0,0',
  'AT+UGCNTRD=?': '+UGCNTRD:',
}
/** Commands that are obeyed without a word. */
const OBEYS =
  /^(AT|ATE0|ATV1|ATX4|ATH|ATZ|AT&C1|AT\+(CMEE|IFC|C?G?E?REG|CFUN|COPS|CGDCONT|CTZU|CTZR|CGACT|CGATT|UAUTHREQ|UGCNTSET)[=?].*)$/

/** A modem that speaks AT (3GPP TS 27.007 and u-blox's own) on a Unix socket, for whoever makes a tty of it. */
export class AtModem {
  readonly #carried: () => Carried
  readonly #server: Server
  #format = 0
  #active = 0

  /** @param carried asked whenever the modem is asked for its counters */
  constructor(carried: () => Carried) {
    this.#carried = carried
    this.#server = createServer((socket) => {
      this.#serve(socket)
    })
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve) => {
      this.#server.listen(path, resolve)
    })
  }

  close(): void {
    this.#server.close()
  }

  #serve(socket: Socket): void {
    let waiting = ''
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.on('data', (text: string) => {
      const lines = `${waiting}${text}`.split(/[\r\n]/)
      waiting = lines.pop() ?? ''
      for (const line of lines) {
        const command = line.trim().toUpperCase()
        if (command !== '') socket.write(this.#answer(command))
      }
    })
  }

  #answer(command: string): string {
    const said = this.#says(command)
    if (said !== undefined) return `\r\n${said}\r\n\r\nOK\r\n`
    if (!OBEYS.test(command)) return '\r\nERROR\r\n'
    this.#obey(command)
    return '\r\nOK\r\n'
  }

  #says(command: string): string | undefined {
    switch (command) {
      case 'AT+COPS?':
        return this.#format === 2 ? '+COPS: 0,2,"26201",7' : '+COPS: 0,0,"Telekom.de",7'
      case 'AT+CGACT?':
        return `+CGACT: 1,${this.#active}`
      case 'AT+UGCNTRD': {
        const { sent, received } = this.#carried()
        return `+UGCNTRD: 1,${sent},${received},${sent},${received}`
      }
      default:
        return SAYS[command]
    }
  }

  #obey(command: string): void {
    const format = /^AT\+COPS=3,(\d)$/.exec(command)?.[1]
    if (format !== undefined) this.#format = Number(format)
    const active = /^AT\+CGACT=(\d)/.exec(command)?.[1]
    if (active !== undefined) this.#active = Number(active)
  }
}
