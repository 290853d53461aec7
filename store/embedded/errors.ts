/** The database was written by a program that knows more versions of the tables than this one. */
export class NewerTablesError extends Error {
  constructor(found: number, known: number) {
    super(`its tables have version ${found}, this program knows versions up to ${known}`)
    this.name = 'NewerTablesError'
  }
}
