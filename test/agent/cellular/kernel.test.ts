import { expect, test } from 'vitest'
import { KernelLinks } from '../../../agent/cellular/kernel.ts'
import { KernelFolder } from '../../support/kernel-folder.ts'

function machine(): KernelLinks {
  const kernel = new KernelFolder()
  kernel.set('lo', { ifindex: 1, rx: 5, tx: 5 })
  kernel.set('eth0', { ifindex: 2, rx: 10n ** 15n, tx: 1 })
  kernel.set('wwan0', { ifindex: 5, rx: 2n ** 60n + 1n, tx: 7, type: 'wwan' })
  kernel.set('qmimux0', { ifindex: 6, rx: 90, tx: 6, lower: 'wwan0', type: 'wwan' })
  kernel.set('usb0', { ifindex: 7, rx: 3, tx: 4, type: 'gadget' })
  kernel.set('tun0', { ifindex: 8, rx: 80, tx: 5 })
  return new KernelLinks(kernel.root)
}

const cases = [
  ['what the kernel calls wwan, once where links are stacked', null, [], ['wwan0']],
  ['a bearer’s interface too', null, ['usb0'], ['usb0', 'wwan0']],
  ['by name, only what is named', ['usb0'], ['wwan0'], ['usb0']],
  ['of a multiplexed link alone, if that is what is named', ['qmimux0'], [], ['qmimux0']],
  ['nothing, where what is named is not there', ['wwan9'], [], []],
] as const
test.for(cases)('I9 cellular is %s', ([, interfaces, bearers, expected]) => {
  const { links } = machine().scan({ interfaces, bearers })
  expect(links.map(({ iface }) => iface).sort()).toEqual(expected)
})

test('counters are exact, the boot and the highest index are told', () => {
  expect(machine().scan({ interfaces: ['wwan0'], bearers: [] })).toEqual({
    bootId: 'boot-1',
    topIfindex: 8,
    links: [{ iface: 'wwan0', ifindex: 5, rx: 2n ** 60n + 1n, tx: 7n }],
  })
})

test.for([
  ['qmimux0', null, 'wwan0'],
  ['qmimux0', ['wwan0'], 'wwan0'],
  ['qmimux0', ['qmimux0'], 'qmimux0'],
  ['wwan0', null, 'wwan0'],
  ['eth0', ['wwan0'], 'eth0'],
  ['gone', null, 'gone'],
] as const)('what goes by %s, with %o configured, is counted as %s', ([iface, interfaces, expected]) => {
  expect(machine().countedAs(iface, interfaces)).toBe(expected)
})
