import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { createApp, dependencies } from './app.js';
import { Cache, connectRedis } from './cache.js';
import { readConfig } from './config.js';
import { connectDatabase } from './database.js';
import { Metrics } from './metrics.js';
import { Shutdown } from './shutdown.js';

const config = readConfig();
const pool = connectDatabase(config);
const redis = connectRedis(config);
const metrics = new Metrics(redis, config);
const cache = new Cache(redis, { enabled: config.cacheEnabled, prefix: config.version, onLookup: metrics.recordLookup });
const shutdown = new Shutdown({ drainMs: config.drainMs, limitMs: config.shutdownLimitMs });

const server = createServer(createApp({ config, pool, redis, cache, metrics, shutdown }));
// Longer than any client or proxy keeps an idle connection: the side that closes must be the one that sends.
server.keepAliveTimeout = 65_000;
server.headersTimeout = 66_000;
shutdown.install(server, async () => {
  await metrics.stop();
  await Promise.allSettled([redis.close(), pool.end()]);
  console.log(`dealradar ${config.version} pid ${process.pid} left`);
});

// The port is taken only when the worker can answer: a connection never meets one that is still connecting.
while (!Object.values(await dependencies(pool, redis)).every(Boolean)) {
  await delay(100);
}
await metrics.start();
server.listen(config.port, config.host, () => {
  console.log(`dealradar ${config.version} pid ${process.pid} listens on ${config.host}:${config.port}`);
  process.send?.('ready');
});
