// `npm test` at the root starts store and broker once for all workspaces. Whoever runs the tests of one workspace directly
// gets them here. Plain .mjs, so that jest imports it natively and Node reads the TypeScript behind it.
import { startTestInfrastructure } from '../test-infrastructure.ts';

export default async function setup() {
  if (process.env.MONGODB_URI && process.env.AMQP_URL) return;
  const infrastructure = await startTestInfrastructure({ preferPrivateBroker: false });
  Object.assign(process.env, infrastructure.env);
  globalThis.testInfrastructure = infrastructure;
}
