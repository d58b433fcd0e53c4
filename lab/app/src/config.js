// The environment, read once and checked; nothing else in the application looks at process.env.
import { readFileSync } from 'node:fs';

const REQUIRED = ['PORT', 'DATABASE_URL', 'REDIS_URL', 'JWT_SECRET'];

export function readConfig(environment = process.env) {
  const missing = REQUIRED.filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw new Error(`Cannot start: the environment lacks ${missing.join(', ')}`);
  }
  const build = JSON.parse(readFileSync(new URL('build-info.json', import.meta.url), 'utf8'));
  return {
    version: build.version,
    release: environment.SLUICE_RELEASE ?? null,
    instance: Number.parseInt(environment.NODE_APP_INSTANCE ?? '0', 10),
    host: environment.HOST ?? '127.0.0.1',
    port: Number.parseInt(environment.PORT, 10),
    databaseUrl: environment.DATABASE_URL,
    databasePoolSize: Number.parseInt(environment.DATABASE_POOL_SIZE ?? '4', 10),
    redisUrl: environment.REDIS_URL,
    jwtSecret: environment.JWT_SECRET,
    cacheEnabled: environment.CACHE_ENABLED !== 'false',
    monitoringEnabled: environment.MONITORING_ENABLED !== 'false',
    rateLimitMaxRequests: Number.parseInt(environment.RATE_LIMIT_MAX_REQUESTS ?? '100', 10),
    rateLimitWindowMs: Number.parseInt(environment.RATE_LIMIT_WINDOW_MS ?? '900000', 10),
    drainMs: Number.parseInt(environment.SHUTDOWN_DRAIN_MS ?? '1500', 10),
    shutdownLimitMs: Number.parseInt(environment.SHUTDOWN_LIMIT_MS ?? '7000', 10),
  };
}
