import { bringPrograms, type Say } from './programs.ts'

/** What a server is made and started with. */
export interface MariadbPrograms {
  mariadbd: string
  mariadbInstallDb: string
}

/** MariaDB from the distribution: the server, without what would run it as a service of the system. */
export async function bringMariadb(say: Say): Promise<MariadbPrograms> {
  const programs = ['mariadbd', 'mariadb-install-db', 'my_print_defaults']
  const [mariadbd, mariadbInstallDb] = await bringPrograms(
    programs,
    ['mariadb-server-core', 'mariadb-client-core'],
    say,
  )
  return { mariadbd: mariadbd!, mariadbInstallDb: mariadbInstallDb! }
}
