import express from 'express';

import { dealsRouter } from './deals.js';
import { sessionsRouter } from './sessions.js';

/** What this worker needs to answer, asked of the real servers: {database: true, redis: true}. */
export async function dependencies(pool, redis) {
  const answers = async (question) => question.then(() => true, () => false);
  const [database, cache] = await Promise.all([answers(pool.query('SELECT 1')), answers(redis.ping())]);
  return { database, redis: cache };
}

export function createApp({ config, pool, redis, cache, metrics, shutdown }) {
  const app = express();
  app.disable('x-powered-by');
  app.use(shutdown.middleware);
  if (config.monitoringEnabled) {
    app.use(metrics.middleware);
  }
  app.use(express.json({ limit: '64kb' }));

  const identity = {
    name: 'dealradar',
    version: config.version,
    release: config.release,
    pid: process.pid,
    instance: config.instance,
  };

  app.get('/', (request, response) => response.json({ name: identity.name, version: identity.version }));
  app.get('/health', (request, response) => response.json({ status: 'ok', pid: process.pid }));
  app.get('/version', (request, response) => response.json(identity));
  app.get('/ready', async (request, response) => {
    const checks = await dependencies(pool, redis);
    const ready = checks.database && checks.redis && !shutdown.draining;
    response.status(ready ? 200 : 503).json({ ready, draining: shutdown.draining, checks, ...identity });
  });

  if (config.monitoringEnabled) {
    app.get('/metrics/cache', async (request, response) => response.json(await metrics.cache()));
    app.get('/metrics/dashboard', async (request, response) => response.json(await metrics.dashboard()));
    app.get('/metrics/prometheus', async (request, response) => {
      const { contentType, text } = await metrics.prometheus();
      response.set('Content-Type', contentType).send(text);
    });
  }

  app.use('/api/deals', dealsRouter(pool, cache));
  app.use('/api', sessionsRouter(redis, config));

  app.use((request, response) => response.status(404).json({ error: 'not found' }));
  // The four parameters make it Express's error handler.
  app.use((error, request, response, next) => {
    const status = error.status ?? 500;
    if (status >= 500) {
      console.error(`${request.method} ${request.path}: ${error.message}`);
    }
    if (response.headersSent) {
      return next(error);
    }
    return response.status(status).json({ error: status >= 500 ? 'internal error' : error.message });
  });
  return app;
}
