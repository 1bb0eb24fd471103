// Connects to what MONGODB_URI, AMQP_URL and REDIS_URL name, says so, and ends.
import { once } from 'node:events';
import { connect } from 'amqplib';
import { createLogger } from '../logger.ts';
import { connectMongo } from '../mongo.ts';
import { connectRedis } from '../redis.ts';

const { MONGODB_URI, AMQP_URL, REDIS_URL } = process.env;
if (MONGODB_URI) {
  await using mongo = await connectMongo(MONGODB_URI, 'connect', createLogger('connect', 'silent'));
  await mongo.ping();
}
// Not by Bus, which waits for a broker for as long as there is none.
if (AMQP_URL) await (await connect(AMQP_URL)).close();
if (REDIS_URL) {
  await using redis = connectRedis(REDIS_URL, createLogger('connect', 'silent'));
  await once(redis.client, 'ready');
}
process.stdout.write('connected\n');
