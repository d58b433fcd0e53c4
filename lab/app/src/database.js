import pg from 'pg';

export function connectDatabase(config) {
  const pool = new pg.Pool({
    connectionString: config.databaseUrl,
    max: config.databasePoolSize,
    // Less than a visitor waits: what has to stand in a queue while a migration holds a table is late, not refused.
    connectionTimeoutMillis: 4000,
    application_name: `dealradar-${config.version}`,
  });
  // An idle connection that the server closes must not take the process down; the next query says what is wrong.
  pool.on('error', (error) => console.error(`database: ${error.message}`));
  return pool;
}
