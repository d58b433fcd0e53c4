// Redis: the cache of the list of deals, and the connection that sessions, rate limits and metrics share.
import { createClient } from 'redis';

const TTL_SECONDS = 30;

export function connectRedis(config) {
  const client = createClient({
    url: config.redisUrl,
    // Without Redis the application answers, uncached; a queue of commands would make it wait instead.
    disableOfflineQueue: true,
    socket: { connectTimeout: 2000, reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, 2000) },
  });
  client.on('error', (error) => console.error(`redis: ${error.message || error.code}`));
  client.connect().catch((error) => console.error(`redis: ${error.message}`));
  return client;
}

export class Cache {
  /** @param prefix part of every key: versions whose answers have another shape must not read each other's. */
  constructor(redis, { enabled, prefix, onLookup }) {
    this.redis = redis;
    this.enabled = enabled;
    this.prefix = `cache:${prefix}`;
    this.onLookup = onLookup;
  }

  /**
   * Give the cached answer for `key`, or `load()` it; a Redis that is away costs the cache, not the answer.
   * `fresh` goes past what is cached, and `tell` is told where the answer comes from.
   */
  async remember(key, load, { fresh, tell }) {
    if (fresh || !this.enabled || !this.redis.isReady) {
      tell('bypass');
      return load();
    }
    let field;
    try {
      // The generation is read before the data: what is stored below can never outlive a write made meanwhile.
      field = `${this.prefix}:${(await this.redis.get('cache:generation')) ?? 0}:${key}`;
      const found = await this.redis.get(field);
      const seen = found === null ? 'miss' : 'hit';
      this.onLookup(seen);
      tell(seen);
      if (found !== null) {
        return JSON.parse(found);
      }
    } catch {
      return load();
    }
    const value = await load();
    this.redis.set(field, JSON.stringify(value), { EX: TTL_SECONDS }).catch(() => {});
    return value;
  }

  /** Forget every cached answer of every version, in one step. */
  async invalidate() {
    if (this.redis.isReady) {
      await this.redis.incr('cache:generation').catch(() => {});
    }
  }
}
