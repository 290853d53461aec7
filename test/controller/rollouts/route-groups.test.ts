/** Which slot groups a Rollout moves that names routes of a VirtualService. */
import { test } from 'tap'
import { routeGroups } from '../../../controller/rollouts/route-groups.ts'

const groups = [
  { name: 'default', namespaces: [] },
  { name: 'staff', namespaces: ['staff', 'staff-lab'] },
  { name: 'games', namespaces: ['games'] },
]

test('the first route that matches a group is its route', (t) => {
  const routes = [
    { name: 'staff', match: [{ namespace: { prefix: 'staff' } }] },
    { name: 'games', match: [{ slotGroup: { exact: 'games' } }] },
    { name: 'rest' },
  ]
  t.same(routeGroups(routes, ['staff'], groups), ['staff'])
  t.same(routeGroups(routes, ['games', 'rest'], groups), ['default', 'games'])
  t.same(routeGroups(routes, [], groups), ['default', 'staff', 'games'])
  t.same(routeGroups(routes.toReversed(), ['staff'], groups), [])
  t.end()
})

test('a match is about whole groups, and has to hold with all that it has', (t) => {
  const about = (match: Parameters<typeof routeGroups>[0][number]['match']) =>
    routeGroups([{ match: match! }], [], groups)
  t.same(about([{ namespace: { exact: 'staff' } }]), [], 'staff-lab is in the group too')
  t.same(about([{ namespace: { regex: 'staff.*|games' } }]), ['staff', 'games'])
  t.same(about([{ namespace: { prefix: 'staff' }, slotGroup: { exact: 'games' } }]), [])
  t.same(about([{ slotGroup: { exact: 'games' } }, { namespace: { prefix: 'staff' } }]), ['staff', 'games'])
  t.end()
})
