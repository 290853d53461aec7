// Proves by which names the API may be called: its own, and any address, for a name is what a foreign site can re-point.
import t from 'tap'
import { AllowedHosts } from '../../../controller/api/hosts.ts'

const hosts = new AllowedHosts(['Controller.internal', '0.0.0.0'])

void t.test('its own names and addresses', async (t) => {
  const allowed = [
    'localhost',
    'LOCALHOST:8080',
    '127.0.0.1:8080',
    '[::1]:8080',
    '[::1]',
    '10.1.2.3',
    '192.168.0.7:80',
    '[2001:db8::1]:8080',
    'controller.internal:8080',
    'CONTROLLER.internal',
  ]
  for (const host of allowed) t.equal(hosts.allows(host), true, host)
})

void t.test('no other', async (t) => {
  const refused = [
    undefined,
    '',
    ':8080',
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    'evil-localhost',
    '127.0.0.1.evil.example',
    '127.0.0.1:8080.evil.example',
    'localhost:port',
    'localhost:123456',
    '[::1',
    '[localhost]',
    '::1',
    '127.1',
    'localhost ',
  ]
  for (const host of refused) t.equal(hosts.allows(host), false, host ?? 'no header')
})
