/**
 * How many files, sockets among them, this process may have open. Node raises its soft limit to the hard one when it
 * starts. Infinity where there is no limit.
 */
export function openFilesMax(): number {
  // Without this the report looks up the name of every peer.
  Object.assign(process.report, { excludeNetwork: true })
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: number | 'unlimited' } } }
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : Infinity
}
