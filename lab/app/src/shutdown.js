// Leaving without losing a request.
//
// Three things are lost when a worker just closes its server and exits: a request that a client sends on a kept-alive
// connection in the moment it is closed, a connection that the cluster's primary hands over to a worker that is
// already gone, and the requests being answered. So a worker
//   1. as a cluster worker, stops listening at once: the primary gives new connections to the other workers, and those
//      on their way to this one come back to it while the process still lives (alone behind a proxy it goes on
//      accepting, and its /ready says 503, until the drain period is over);
//   2. answers what comes on open connections with `Connection: close`, for the drain period;
//   3. closes the idle connections, waits for the others to finish, and exits.
import cluster from 'node:cluster';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export class Shutdown {
  draining = false;
  #sockets = new Set();
  #responses = new Set();

  /** @param drainMs how long open connections are told to close; @param limitMs when it gives up waiting for them. */
  constructor({ drainMs, limitMs }) {
    this.drainMs = drainMs;
    this.limitMs = limitMs;
  }

  middleware = (request, response, next) => {
    if (this.draining) {
      response.set('Connection', 'close');
    }
    this.#responses.add(response);
    response.once('close', () => this.#responses.delete(response));
    next();
  };

  /** Watch `server`, and on the first SIGINT or SIGTERM drain it, run `release` and exit. */
  install(server, release) {
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    const leave = async () => {
      if (this.draining) return;
      const finished = await this.drain(server);
      await release();
      process.exit(finished ? 0 : 1);
    };
    process.on('SIGINT', leave);
    process.on('SIGTERM', leave);
  }

  /** Resolve to true when every connection has ended by itself, false when some had to be cut. */
  async drain(server) {
    const deadline = performance.now() + this.limitMs;
    this.draining = true;
    for (const response of this.#responses) {
      if (!response.headersSent) response.set('Connection', 'close');
    }
    // net.Server's close stops listening and leaves the connections alone; http.Server's would close the idle ones now.
    const stopListening = () => net.Server.prototype.close.call(server);
    if (cluster.isWorker) stopListening();
    await delay(this.drainMs);
    if (!cluster.isWorker) stopListening();
    while (this.#sockets.size > 0 && performance.now() < deadline) {
      server.closeIdleConnections();
      await delay(20);
    }
    const finished = this.#sockets.size === 0;
    server.closeAllConnections();
    return finished;
  }
}
