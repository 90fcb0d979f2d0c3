// The web service of the example: node invoices.mjs PORT FILE. It keeps each order once,
// by its Idempotency-Key, as a line of FILE.
import { createServer } from 'node:http';
import { appendFileSync } from 'node:fs';

const [port, file] = process.argv.slice(2);
const seen = new Set();
createServer(async (req, res) => {
  let body = '';
  for await (const part of req) body += part;
  const key = req.headers['idempotency-key'];
  if (req.method !== 'POST' || req.url !== '/orders' || !key) return res.writeHead(404).end();
  if (!seen.has(key)) appendFileSync(file, body + '\n');
  seen.add(key);
  res.writeHead(201).end();
}).listen(Number(port), '127.0.0.1');
