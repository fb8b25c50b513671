/** The admin API of a cluster, asked whatever its own document lets one ask: it answers as the document says. */
import { ROLES } from '@canal/admin-schema';
import { ADMIN_API_SAMPLES, ApiExercise, openHttpsExchange } from '@canal/testing';
import { expect } from 'vitest';
import { openAdminApi, tokenOf } from '../admin-api-client.ts';
import { isolation } from '../admin-requests.ts';
import { allReady } from '../agents.ts';
import { scenario } from '../scenario.ts';

const AUDIENCE = 'canal-admin-api';
const LIMIT_MS = 120_000;
const REQUEST_MS = 30_000;
/** Of chance alone; what is aimed comes on top. */
const RANDOM_MS = 6_000;

scenario('admin API: any request is answered as its document says', { limitMs: LIMIT_MS }, async (context) => {
  const { world, pods, note } = context;
  await allReady(world);
  const [pod] = await pods.create([{ name: 'one' }, { name: 'two' }]);
  if (pod === undefined) throw new Error('no pod');
  await pods.apply(isolation(pod.namespace));
  await using api = await openAdminApi(world);
  const roles: { readonly name: string; readonly token: string }[] = [];
  for (const name of ROLES) roles.push({ name, token: await tokenOf(world, `canal-${name}`, AUDIENCE) });
  using exchange = openHttpsExchange({ address: api.address, ca: api.ca, timeoutMs: REQUEST_MS });
  const { send } = exchange;
  const { text } = await send({ method: 'GET', path: '/openapi.json', headers: {} });
  const seed = Number(process.env['CANAL_SEED'] ?? 20_261_122);
  note('seed', String(seed));
  // Known to Kubernetes, and with no role.
  const strangerToken = await tokenOf(world, 'default', AUDIENCE);
  const samples = ADMIN_API_SAMPLES;
  const exercise = new ApiExercise(JSON.parse(text), { send, roles, strangerToken, samples, seed, concurrency: 4 });
  await exercise.discover();
  await exercise.validOnes();
  await exercise.aimedOnes();
  await exercise.randomOnes({ ms: RANDOM_MS });
  process.stderr.write(`${exercise.table()}\n`);
  note('requests', `${exercise.requests}, ${exercise.faults.length} faults`);
  expect(exercise.faults).toEqual([]);
  const excuses = [
    { status: 429, why: 'a cluster that others use is not flooded: tests of a lab do' },
    { status: 404, operations: ['getNetConf', 'putNetConf'], why: 'nothing is taken from a cluster' },
    { status: 200, operations: ['releaseAddress'], why: 'nothing is leaked where all is well' },
    { status: 409, operations: ['getNetConf'], why: 'nothing is broken in a cluster' },
  ];
  expect(exercise.gaps(excuses)).toEqual([]);
});
