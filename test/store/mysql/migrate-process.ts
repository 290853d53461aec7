/** Migrates the database that its argument names: a process of its own for the test of migrations. */
import { openMysqlStore } from '../../../store/mysql/mysql-store.ts'

const store = openMysqlStore(process.argv[2]!)
await store.migrate()
await store.createGroup('default', 8, 'origin')
await store.close()
