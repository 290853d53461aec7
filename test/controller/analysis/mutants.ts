/** Rules of analysis and of ejections, each taken away on its own, and the test that must notice. */
import type { Edit } from '../../simulation/mutants.ts'

export const mutants: Readonly<Record<string, { edits: Edit[]; test: string }>> = {
  'promote on no data': {
    test: 'run.test.ts',
    edits: [
      {
        file: 'controller/analysis/run.ts',
        from: "if (numbers.length === 0) return { phase: 'Inconclusive'",
        to: "if (numbers.length === 0) return { phase: 'Successful'",
      },
    ],
  },
  'promote on NaN': {
    test: 'run.test.ts',
    edits: [{ file: 'controller/analysis/run.ts', from: 'numbers.some((each) => Number.isNaN(each))', to: 'false' }],
  },
  'promote a canary that says nothing': {
    test: 'bad-canaries.test.ts',
    edits: [
      {
        file: 'controller/analysis/measurer.ts',
        from: "if ((heardAt !== null && !isSilent) || measurement.phase === 'Failed') return measurement",
        to: 'if (isSilent || !isSilent) return measurement',
      },
    ],
  },
  'a fixed test looked at again and again': {
    test: 'sequential.test.ts',
    edits: [
      {
        file: 'controller/analysis/sequential.ts',
        from: 'return logEvidence(evidence) >= -Math.log(alpha)',
        to: 'return logEvidence(evidence) >= 0.5',
      },
    ],
  },
  'only a difference counts, however small the evidence': {
    test: 'bad-canaries.test.ts',
    edits: [
      {
        file: 'controller/analysis/counters.ts',
        from: 'return log >= -Math.log(alpha)',
        to: 'return log <= 0 || alpha > 0',
      },
    ],
  },
  'eject with one command seen': {
    test: '../placement/outliers.test.ts',
    edits: [{ file: 'controller/placement/outliers.ts', from: 'done < commandsMin', to: 'done < 1' }],
  },
  'eject whoever fails now and then': {
    test: '../placement/outliers.test.ts',
    edits: [{ file: 'controller/placement/outliers.ts', from: 'failed * 100 < done * percentMin', to: 'failed < 1' }],
  },
  'eject for what all workers of the version fail at': {
    test: '../placement/outliers.test.ts',
    edits: [{ file: 'controller/placement/outliers.ts', from: '|| others.done === 0', to: '|| others.done >= 0' }],
  },
  'ejection without cap': {
    test: '../placement/outliers.test.ts',
    edits: [
      { file: 'controller/placement/outliers.ts', from: 'if (!mayEject(live.length, out, policy)) break', to: '' },
    ],
  },
}
