// Proves on Kafka and MariaDB, with two proxies, 200 real clients in 40 rooms and steady load: the controller may die or
// stand still and traffic flows on, and the one that comes back adopts what is there. No socket closes and the checker
// finds nothing.
import t from 'tap'
import { startOnServices } from '../harness/processes/on-services.ts'
import { controllerScenarios } from './scenarios/controller.ts'

controllerScenarios(t, await startOnServices(t))
