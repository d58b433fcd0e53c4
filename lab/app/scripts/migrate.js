// Migrations of the database that DATABASE_URL names: `up`, `down [count]`, `status` (one line each: `pending <name>`).
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { runner } from 'node-pg-migrate';
import pg from 'pg';

const directory = path.join(path.dirname(import.meta.dirname), 'migrations');
const table = 'pgmigrations';

async function status(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const known = await client.query('SELECT to_regclass($1) IS NOT NULL AS exists', [table]);
    const rows = known.rows[0].exists ? (await client.query(`SELECT name FROM ${table}`)).rows : [];
    const applied = new Set(rows.map((row) => row.name));
    const names = (await readdir(directory)).filter((file) => file.endsWith('.sql')).map((file) => file.slice(0, -4));
    for (const name of names.sort()) {
      console.log(`${applied.has(name) ? 'applied' : 'pending'} ${name}`);
    }
  } finally {
    await client.end();
  }
}

async function migrate(databaseUrl, direction, count) {
  const done = await runner({ databaseUrl, dir: directory, migrationsTable: table, direction, count, log: () => {} });
  for (const { name } of done) {
    console.log(`${direction === 'up' ? 'applied' : 'reverted'} ${name}`);
  }
}

const [command, argument] = process.argv.slice(2);
const databaseUrl = process.env.DATABASE_URL;
try {
  if (!databaseUrl) {
    throw new Error('the environment variable DATABASE_URL is not set');
  }
  if (command === 'status') {
    await status(databaseUrl);
  } else if (command === 'up') {
    await migrate(databaseUrl, 'up', Infinity);
  } else if (command === 'down') {
    await migrate(databaseUrl, 'down', argument === undefined ? 1 : Number.parseInt(argument, 10));
  } else {
    throw new Error(`unknown command ${command}; use up, down [count] or status`);
  }
} catch (error) {
  console.error(`Cannot migrate: ${error.message}`);
  process.exitCode = 1;
}
