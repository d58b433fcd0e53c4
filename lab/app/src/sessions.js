// Sessions: a signed cookie (JWT, HS256) that is good as long as Redis knows its id, so that it outlives a release.
// The lab authenticates nobody: any user name may log in. What matters here is that a session survives a switch.
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { Router } from 'express';

const COOKIE = 'session';
const LIFETIME_SECONDS = 3600;
const HEADER = encode({ alg: 'HS256', typ: 'JWT' });

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signature(secret, content) {
  return createHmac('sha256', secret).update(content).digest();
}

export function issueToken(secret, claims) {
  const content = `${HEADER}.${encode(claims)}`;
  return `${content}.${signature(secret, content).toString('base64url')}`;
}

/** The claims of a token that this secret signed and that has not expired, else null. */
export function readToken(secret, token) {
  const [header, payload, signed] = (token ?? '').split('.');
  if (header !== HEADER || signed === undefined) {
    return null;
  }
  const expected = signature(secret, `${header}.${payload}`);
  const given = Buffer.from(signed, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return null;
  }
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  return claims.exp * 1000 > Date.now() ? claims : null;
}

function cookieOf(request) {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([name]) => name === COOKIE)?.[1];
}

export function sessionsRouter(redis, config) {
  const router = Router();
  const cookie = { httpOnly: true, sameSite: 'lax', path: '/' };

  async function tooManyLogins(address) {
    const key = `login-rate:${address}`;
    const count = await redis.incr(key);
    if (count === 1) {
      await redis.pExpire(key, config.rateLimitWindowMs);
    }
    return count > config.rateLimitMaxRequests;
  }

  router.post('/login', async (request, response) => {
    const user = request.body?.user;
    if (typeof user !== 'string' || user === '') {
      return response.status(400).json({ error: 'user must be a text' });
    }
    if (await tooManyLogins(request.ip)) {
      return response.status(429).json({ error: 'too many logins' });
    }
    const claims = { jti: randomUUID(), sub: user, exp: Math.floor(Date.now() / 1000) + LIFETIME_SECONDS };
    await redis.set(`session:${claims.jti}`, user, { EX: LIFETIME_SECONDS });
    response.cookie(COOKIE, issueToken(config.jwtSecret, claims), { ...cookie, maxAge: LIFETIME_SECONDS * 1000 });
    return response.json({ user });
  });

  router.get('/session', async (request, response) => {
    const claims = readToken(config.jwtSecret, cookieOf(request));
    const user = claims && (await redis.get(`session:${claims.jti}`));
    return user ? response.json({ user, expires: claims.exp }) : response.status(401).json({ error: 'no session' });
  });

  router.post('/logout', async (request, response) => {
    const claims = readToken(config.jwtSecret, cookieOf(request));
    if (claims) {
      await redis.del(`session:${claims.jti}`);
    }
    response.clearCookie(COOKIE, cookie).sendStatus(204);
  });

  return router;
}
