// Metrics of all workers, whichever of them answers.
//
// The workers share one port, so a scrape reaches any of them. Each worker therefore writes a snapshot of its registry
// into Redis twice a second, and the endpoint gives the snapshots of all workers that live: one series a worker, told
// apart by the labels `worker` (pid) and `version`. Summing over workers is left to the reader, as with any set of
// instances. Own numbers are written before they are read back: two scrapes answered by two workers never see a
// counter go backwards.
import { AggregatorRegistry, Counter, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const SNAPSHOT_MS = 500;
const SNAPSHOT_TTL_MS = 2500;
const KEY = 'metrics:worker:';
const WINDOW_SECONDS = 10;
const BOUNDS_MS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, Infinity];

/** Requests of the last ten seconds, in one bucket a second: what the dashboard shows. */
class Window {
  seconds = new Map();

  record(milliseconds, failed) {
    const now = Math.floor(Date.now() / 1000);
    for (const second of this.seconds.keys()) {
      if (second <= now - WINDOW_SECONDS) this.seconds.delete(second);
    }
    const bucket = this.seconds.get(now) ?? { requests: 0, failed: 0, counts: BOUNDS_MS.map(() => 0) };
    bucket.requests += 1;
    bucket.failed += failed ? 1 : 0;
    bucket.counts[BOUNDS_MS.findIndex((bound) => milliseconds <= bound)] += 1;
    this.seconds.set(now, bucket);
  }

  recent() {
    const oldest = Math.floor(Date.now() / 1000) - WINDOW_SECONDS;
    return [...this.seconds].filter(([second]) => second > oldest).map(([, bucket]) => bucket);
  }
}

/** The q-quantile in ms of a histogram, interpolated in its bucket; null without any sample. */
export function quantile(counts, q) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let rank = q * total;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && rank <= count) {
      const low = index === 0 ? 0 : BOUNDS_MS[index - 1];
      const high = BOUNDS_MS[index];
      return high === Infinity ? low : Math.round((low + ((high - low) * rank) / count) * 10) / 10;
    }
    rank -= count;
  }
  return null;
}

const percent = (part, whole) => (whole === 0 ? null : Math.round((part / whole) * 10000) / 100);
const sum = (items, value) => items.reduce((total, item) => total + value(item), 0);

export class Metrics {
  constructor(redis, config) {
    this.redis = redis;
    this.config = config;
    this.started = Date.now();
    this.window = new Window();
    this.lookups = { hit: 0, miss: 0 };
    this.registry = new Registry();
    this.registry.setDefaultLabels({ worker: String(process.pid), version: config.version });
    collectDefaultMetrics({ register: this.registry });
    const registers = [this.registry];
    this.requests = new Counter({
      name: 'http_requests_total',
      help: 'Answered requests',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.duration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from request to the end of the answer',
      labelNames: ['method', 'route'],
      buckets: BOUNDS_MS.filter(Number.isFinite).map((bound) => bound / 1000),
      registers,
    });
    this.cacheLookups = new Counter({
      name: 'cache_lookups_total',
      help: 'Lookups in the list cache',
      labelNames: ['result'],
      registers,
    });
  }

  recordLookup = (result) => {
    this.lookups[result] += 1;
    this.cacheLookups.inc({ result });
  };

  /** Express middleware: measures every request, except those for the metrics themselves. */
  middleware = (request, response, next) => {
    const start = process.hrtime.bigint();
    response.once('finish', () => {
      const milliseconds = Number(process.hrtime.bigint() - start) / 1e6;
      const route = request.route ? `${request.baseUrl}${request.route.path}` : 'unmatched';
      if (route.startsWith('/metrics/')) return;
      this.requests.inc({ method: request.method, route, status: response.statusCode });
      this.duration.observe({ method: request.method, route }, milliseconds / 1000);
      this.window.record(milliseconds, response.statusCode >= 500);
    });
    next();
  };

  async snapshot() {
    return {
      pid: process.pid,
      instance: this.config.instance,
      version: this.config.version,
      release: this.config.release,
      uptime_seconds: Math.round((Date.now() - this.started) / 1000),
      lookups: this.lookups,
      window: this.window.recent(),
      metrics: await this.registry.getMetricsAsJSON(),
    };
  }

  async push() {
    const snapshot = await this.snapshot();
    await this.redis.set(`${KEY}${process.pid}`, JSON.stringify(snapshot), { PX: SNAPSHOT_TTL_MS });
    return snapshot;
  }

  /** From the first request on, this worker is one of those that every worker knows. */
  async start() {
    await this.push().catch(() => {});
    this.timer = setInterval(() => this.push().catch(() => {}), SNAPSHOT_MS);
  }

  /** A worker that leaves says so, instead of being counted until its snapshot expires. */
  async stop() {
    clearInterval(this.timer);
    await this.redis.del(`${KEY}${process.pid}`).catch(() => {});
  }

  /** The snapshots of all workers; of this one alone while Redis is away. */
  async workers() {
    if (!this.redis.isReady) {
      return [await this.snapshot()];
    }
    await this.push();
    const keys = [];
    for await (const batch of this.redis.scanIterator({ MATCH: `${KEY}*`, COUNT: 100 })) {
      keys.push(...batch);
    }
    const found = await this.redis.mGet([...new Set(keys)]);
    return found.filter((text) => text !== null).map((text) => JSON.parse(text));
  }

  async prometheus() {
    const workers = await this.workers();
    const merged = AggregatorRegistry.aggregate(workers.map((worker) => worker.metrics));
    return { contentType: merged.contentType, text: await merged.metrics() };
  }

  async dashboard() {
    const workers = await this.workers();
    const seconds = workers.flatMap((worker) => worker.window);
    const counts = BOUNDS_MS.map((_, index) => sum(seconds, (second) => second.counts[index]));
    const requests = sum(seconds, (second) => second.requests);
    const hits = sum(workers, (worker) => worker.lookups.hit);
    const misses = sum(workers, (worker) => worker.lookups.miss);
    return {
      overview: {
        version: this.config.version,
        workers: workers.length,
        window_seconds: WINDOW_SECONDS,
        requests,
        requests_per_second: requests / WINDOW_SECONDS,
        error_rate_pct: percent(sum(seconds, (second) => second.failed), requests),
        p50_ms: quantile(counts, 0.5),
        p95_ms: quantile(counts, 0.95),
        p99_ms: quantile(counts, 0.99),
        cache_hit_ratio_pct: percent(hits, hits + misses),
      },
      workers: workers.map(({ pid, instance, version, release, uptime_seconds }) => ({
        pid,
        instance,
        version,
        release,
        uptime_seconds,
      })),
    };
  }

  async cache() {
    if (!this.redis.isReady) {
      return { connected: false, enabled: this.config.cacheEnabled, hit_ratio_pct: null, used_memory_bytes: null };
    }
    const workers = await this.workers();
    const hits = sum(workers, (worker) => worker.lookups.hit);
    const misses = sum(workers, (worker) => worker.lookups.miss);
    const memory = await this.redis.info('memory');
    return {
      connected: true,
      enabled: this.config.cacheEnabled,
      hits,
      misses,
      hit_ratio_pct: percent(hits, hits + misses),
      used_memory_bytes: Number(/^used_memory:(\d+)/m.exec(memory)[1]),
      used_memory: /^used_memory_human:(\S+)/m.exec(memory)[1],
    };
  }
}
