/**
 * The store keeps the contract in a real MySQL or MariaDB, each test in a database of its own, as a user who has the
 * documented rights and no others.
 */
import t from 'tap'
import { storeContract } from '../contract/contract.ts'
import { mysqlFixture } from './fixture.ts'
import { MysqlProxy, unnamed } from './mysql-proxy.ts'

storeContract(t, 'mysql', async (t) => {
  return mysqlFixture(t)
})

storeContract(t, 'mysql without blocks', async (t) => {
  const { open, url, deadLetters } = await mysqlFixture(t)
  const proxy = await MysqlProxy.start(t, url, unnamed)
  return { open: () => open({ url: proxy.url }), deadLetters }
})
