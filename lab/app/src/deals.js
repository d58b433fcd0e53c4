// The domain: deals in PostgreSQL, their list cached in Redis.
import { Router } from 'express';

const COLUMNS = ['id', 'title', 'merchant', 'price_cents', 'created_at', 'updated_at'];
const WRITABLE = ['title', 'merchant', 'price_cents'];
const PAGE_LIMIT = 100;

class BadRequest extends Error {
  status = 400;
}

function wholeNumber(text, { name, fallback, least, most }) {
  const number = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(number) || number < least || number > most) {
    throw new BadRequest(`${name} must be a whole number from ${least} to ${most}`);
  }
  return number;
}

function readDeal(body) {
  const deal = Object.fromEntries(WRITABLE.filter((name) => body?.[name] !== undefined).map((name) => [name, body[name]]));
  for (const name of ['title', 'merchant']) {
    if (typeof deal[name] !== 'string' || deal[name] === '' || deal[name].length > 200) {
      throw new BadRequest(`${name} must be a text of 1 to 200 characters`);
    }
  }
  deal.price_cents = wholeNumber(deal.price_cents, { name: 'price_cents', least: 0, most: 2 ** 31 - 1 });
  return deal;
}

const idOf = (request) => wholeNumber(request.params.id, { name: 'id', least: 1, most: Number.MAX_SAFE_INTEGER });

export function dealsRouter(pool, cache) {
  const router = Router();

  const answerOne = (response, rows, status = 200) =>
    rows.length === 0 ? response.status(404).json({ error: 'no such deal' }) : response.status(status).json(rows[0]);

  router.get('/', async (request, response) => {
    const limit = wholeNumber(request.query.limit, { name: 'limit', fallback: 20, least: 1, most: PAGE_LIMIT });
    const offset = wholeNumber(request.query.offset, { name: 'offset', fallback: 0, least: 0, most: 1e9 });
    const page = await cache.remember(`deals:${limit}:${offset}`, async () => {
      const items = await pool.query(`SELECT ${COLUMNS} FROM deals ORDER BY id LIMIT $1 OFFSET $2`, [limit, offset]);
      const count = await pool.query('SELECT count(*)::int AS total FROM deals');
      return { items: items.rows, total: count.rows[0].total, limit, offset };
    }, {
      fresh: request.get('cache-control') === 'no-cache',
      tell: (found) => response.set('X-Cache', found),
    });
    response.json(page);
  });

  router.post('/', async (request, response) => {
    const deal = readDeal(request.body);
    const names = Object.keys(deal);
    const places = names.map((_, index) => `$${index + 1}`);
    const created = await pool.query(
      `INSERT INTO deals (${names}) VALUES (${places}) RETURNING ${COLUMNS}`,
      Object.values(deal),
    );
    await cache.invalidate();
    answerOne(response.location(`/api/deals/${created.rows[0].id}`), created.rows, 201);
  });

  router.get('/:id', async (request, response) => {
    const found = await pool.query(`SELECT ${COLUMNS} FROM deals WHERE id = $1`, [idOf(request)]);
    answerOne(response, found.rows);
  });

  router.put('/:id', async (request, response) => {
    const deal = readDeal(request.body);
    const assignments = Object.keys(deal).map((name, index) => `${name} = $${index + 2}`);
    const updated = await pool.query(
      `UPDATE deals SET ${assignments}, updated_at = now() WHERE id = $1 RETURNING ${COLUMNS}`,
      [idOf(request), ...Object.values(deal)],
    );
    await cache.invalidate();
    answerOne(response, updated.rows);
  });

  router.delete('/:id', async (request, response) => {
    const deleted = await pool.query('DELETE FROM deals WHERE id = $1', [idOf(request)]);
    await cache.invalidate();
    response.sendStatus(deleted.rowCount === 0 ? 404 : 204);
  });

  return router;
}
