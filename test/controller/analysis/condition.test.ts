/** Proves what conditions can say of a result, and that they can do nothing else. */
import t from 'tap'
import { conditionLengthMax, conditionProblem, fulfils } from '../../../controller/analysis/condition.ts'

void t.test('conditions are written as those of Argo Rollouts are', async (t) => {
  t.ok(fulfils('result[0] < 1.2', [1]))
  t.notOk(fulfils('result[0] < 1.2', [1.2]))
  t.ok(fulfils('result < 0.5', 0.2))
  t.ok(fulfils('len(result) == 2 && result[1] == 0', [1, 0]))
  t.ok(fulfils('result[0] * 100 >= 5 || 1 - result[0] > 2', [0.05]))
  t.ok(fulfils('result.all(each, each < 2)', [1, 1.5]))
  t.ok(fulfils('isNaN(result)', Number.NaN))
  t.ok(fulfils('result[0] > 1e9', [Infinity]))
})

void t.test('a condition that cannot be read, or asks for what is not there, is refused by name', async (t) => {
  for (const condition of ['result[0] <', 'result[5] < 1', 'result', '1', 'outcome < 1', 'result.constructor == 1'])
    t.throws(() => fulfils(condition, [1]), { name: 'AnalysisError', code: 'bad_condition' }, condition)
  t.equal(conditionProblem('result[0] < 1'), null)
  t.match(conditionProblem('result[0] <'), /EOF|Unexpected/)
  t.match(conditionProblem('outcome < 1'), /Unknown variable: outcome/)
  t.match(conditionProblem('len(result)'), /neither true nor false but of the type int/)
  t.equal(conditionProblem('result'), null, 'what a result is, only an answer shows')
})

void t.test('a condition reaches nothing of the program, and is bounded', async (t) => {
  for (const condition of ['process.exit()', 'globalThis', 'import("fs")', 'result.map(x, x.constructor)[0] == 1'])
    t.throws(() => fulfils(condition, [1]), { code: 'bad_condition' }, condition)
  t.match(conditionProblem(`${'1+'.repeat(conditionLengthMax)}1 > 0`), /longer than/)
  t.match(conditionProblem(`${'('.repeat(200)}true${')'.repeat(200)}`), /./)
})
