'use strict';
// Answers what a release asks: is it alive, can it work, which version is it, and how has it done so far.
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');

const { version } = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8'));
const requests = new Map();

/** Whether the server of a URL takes connections within a second. */
const reachable = (url, port) =>
  new Promise((resolve) => {
    const { hostname, port: given } = new URL(url);
    const socket = net.connect({ host: hostname, port: Number(given) || port, timeout: 1000 });
    const end = (answer) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });

const routes = {
  '/health': async () => [200, { status: 'ok' }],
  '/ready': async () => {
    const [database, redis] = await Promise.all([
      reachable(process.env.DATABASE_URL, 5432),
      reachable(process.env.REDIS_URL, 6379),
    ]);
    return [database && redis ? 200 : 503, { database, redis, pid: process.pid }];
  },
  '/version': async () => [200, { version, pid: process.pid }],
  // FAILING is a variable of the profile: a version that is ready and then answers with errors.
  '/': async () => (process.env.FAILING ? [500, { error: 'failing' }] : [200, { hello: 'world' }]),
};

const metrics = () =>
  ['# TYPE http_requests_total counter']
    .concat([...requests].map(([status, count]) => `http_requests_total{status="${status}"} ${count}`))
    .join('\n') + '\n';

const server = http.createServer(async (request, response) => {
  if (request.url === '/metrics/prometheus') {
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end(metrics());
    return;
  }
  const [status, body] = routes[request.url] ? await routes[request.url]() : [404, { error: 'not found' }];
  requests.set(status, (requests.get(status) || 0) + 1);
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
});

server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send && process.send('ready'));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
