import pg from 'pg';

export function connectDatabase(config) {
  const pool = new pg.Pool({
    connectionString: config.databaseUrl,
    max: config.databasePoolSize,
    connectionTimeoutMillis: 2000,
    application_name: `dealradar-${config.version}`,
  });
  // An idle connection that the server closes must not take the process down; the next query says what is wrong.
  pool.on('error', (error) => console.error(`database: ${error.message}`));
  return pool;
}
