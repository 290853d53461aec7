/** Proves that arguments stand where a template names them, and that none can change what the text around it means. */
import t from 'tap'
import { argumentLengthMax, withArguments } from '../../../controller/analysis/arguments.ts'
import type { AnalysisTemplateSpec } from '../../../controller/analysis/template.ts'

const template: AnalysisTemplateSpec = {
  args: [{ name: 'canary' }, { name: 'host', value: 'p' }, { name: 'most', value: '0.01' }],
  metrics: [
    {
      name: 'm',
      successCondition: 'result[0] < {{args.most}}',
      provider: { prometheus: { address: 'http://{{args.host}}:9090', query: 'up{version="{{ args.canary }}"}' } },
    },
  ],
}

void t.test(
  'arguments stand in addresses, queries and conditions; given ones come before the template’s own',
  async (t) => {
    t.match(withArguments(template, { canary: 'v2', most: '0.5' }), [
      {
        successCondition: 'result[0] < 0.5',
        provider: { prometheus: { address: 'http://p:9090', query: 'up{version="v2"}' } },
      },
    ])
  },
)

void t.test('an argument without a value, or that nobody declared, is an error', async (t) => {
  t.throws(() => withArguments(template, {}), { code: 'bad_argument', message: /canary/ })
  const metrics = [{ name: 'm', provider: { prometheus: { address: 'http://p', query: '{{args.other}}' } } }]
  t.throws(() => withArguments({ metrics }, {}), { code: 'bad_argument', message: /other/ })
})

void t.test('a value that could end the text that it is put into is refused', async (t) => {
  for (const canary of [
    'v2"} or vector(0',
    "v'",
    'a\\',
    '`',
    '{{args.host}}',
    'a\nb',
    'x'.repeat(argumentLengthMax + 1),
  ])
    t.throws(() => withArguments(template, { canary }), { code: 'bad_argument' }, JSON.stringify(canary))
  t.doesNotThrow(() => withArguments(template, { canary: '1.2.3-rc.1+build_7/x y' }))
})
