/** Proves that an address is written as URLs have it, and that what is announced is one that others can reach. */
import type { NetworkInterfaceInfo } from 'node:os'
import t from 'tap'
import { authority, hostToAnnounce } from '../../platform/addresses.ts'

function found(address: string, internal = false): NetworkInterfaceInfo {
  const common = { address, netmask: '', mac: '', internal, cidr: null }
  return address.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' }
}

const loopback = [found('127.0.0.1', true), found('::1', true)]

void t.test('in brackets where it has colons', async (t) => {
  t.equal(authority('127.0.0.1', 80), '127.0.0.1:80')
  t.equal(authority('proxy-1', 80), 'proxy-1:80')
  t.equal(authority('::1', 80), '[::1]:80')
  t.ok(URL.canParse(`http://${authority('fd00::7', 80)}/metrics`))
})

void t.test('what is announced', async (t) => {
  const both = [found('fe80::2'), found('169.254.1.1'), found('10.0.0.7'), found('fd00::7')]
  const cases: [string, string, NetworkInterfaceInfo[], string][] = [
    ['127.0.0.1', '', both, '127.0.0.1'],
    ['::1', '', both, '::1'],
    ['0.0.0.0', '', both, '10.0.0.7'],
    ['::', '', both, '10.0.0.7'],
    ['::', '', [found('fe80::2'), found('fd00::7')], 'fd00::7'],
    ['0.0.0.0', '', [found('fd00::7')], '127.0.0.1'],
    ['0.0.0.0', '', [], '127.0.0.1'],
    ['::', '', [], '::1'],
    ['0.0.0.0', 'proxy.example', both, 'proxy.example'],
    ['127.0.0.1', 'fd00::8', both, 'fd00::8'],
  ]
  for (const [listensOn, advertised, others, expected] of cases) {
    const interfaces = () => ({ lo: loopback, eth0: others, none: undefined })
    t.equal(hostToAnnounce(listensOn, advertised, interfaces), expected, `${listensOn} ${advertised}`)
  }
})
