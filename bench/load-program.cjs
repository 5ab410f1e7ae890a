// What bench/load-bench.ts runs on both ends of a connection: CommonJS without dependencies, for it runs in containers, too.
'use strict';
const { connect, createServer } = require('node:net');
const { createSocket } = require('node:dgram');

const [verb, ...words] = process.argv.slice(2);
const said = (started) => {
  process.stdout.write(`ms ${(performance.now() - started).toFixed(1)}\n`);
  process.exit(0);
};
const failed = (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
};

/** 7700 sends zeros until the other side has enough; 7701 answers one byte and closes. */
function serve() {
  const zeros = Buffer.alloc(1 << 20);
  createServer((socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write(zeros));
    };
    socket.on('drain', more).on('error', () => {});
    more();
  }).listen(7700);
  createServer((socket) => socket.on('error', () => {}).end('x')).listen(7701);
}

function receive(port, bytes, host) {
  const started = performance.now();
  let left = Number(bytes);
  const buffer = Buffer.alloc(1 << 20);
  const socket = connect({
    port: Number(port),
    host,
    onread: {
      buffer,
      callback: (count) => {
        left -= count;
        if (left <= 0) {
          socket.destroy();
          said(started);
        }
        return true;
      },
    },
  });
  socket.on('error', failed);
}

function connectMany(port, count, host) {
  const started = performance.now();
  let open = Number(count);
  let left = open;
  const next = () => {
    if (open-- <= 0) return;
    const socket = connect(Number(port), host);
    socket.on('error', failed).resume();
    socket.on('close', () => {
      if (--left === 0) said(started);
      next();
    });
  };
  for (let at = 0; at < 32; at++) next();
}

function resolveMany(name, count, server) {
  const started = performance.now();
  const socket = createSocket('udp4');
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  const question = Buffer.concat([...labels, Buffer.of(0, 0, 1, 0, 1)]);
  let asked = 0;
  let answered = 0;
  const total = Number(count);
  const waiting = new Map();
  const send = (id) => {
    const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    waiting.set(id, performance.now());
    socket.send(Buffer.concat([head, question]), 53, server);
  };
  const next = () => {
    if (asked < total) send(asked++ & 0xffff);
  };
  socket.on('message', (message) => {
    if (!waiting.delete(message.readUInt16BE(0))) return;
    if (message.readUInt16BE(6) === 0) failed(new Error(`${name} is not known to ${server}`));
    if (++answered === total) said(started);
    next();
  });
  socket.on('error', failed);
  // UDP may lose one: it is asked again.
  setInterval(() => {
    for (const [id, at] of waiting) if (performance.now() - at > 500) send(id);
  }, 250);
  for (let at = 0; at < 32; at++) next();
}

({ serve, receive, connect: connectMany, resolve: resolveMany })[verb](...words);
