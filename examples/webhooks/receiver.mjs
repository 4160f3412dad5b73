// Receive certpipe's webhooks: verify each delivery, and answer 204.
//
//   WEBHOOK_KEYS=whsec_... node receiver.mjs 8000
//
// WEBHOOK_KEYS: one or more keys with spaces between, so that an old one may overlap: `whsec_` secrets (v1, HMAC) or
// `whpk_` public keys (v1a, Ed25519), which may be shown to anybody. Node 18 or later, no dependencies.

import { createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';
import { createServer } from 'node:http';

const TOLERANCE_SECONDS = 300;
const MOST_BYTES = 1_000_000;

/** Whether one of the signatures is by one of the keys, and the delivery is recent. `body`: a Buffer, as it came. */
function verified(keys, headers, body) {
  const sentAt = headers['webhook-timestamp'] ?? '';
  if (!/^[0-9]{1,12}$/.test(sentAt) || Math.abs(Date.now() / 1000 - sentAt) > TOLERANCE_SECONDS) return false;
  const content = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${sentAt}.`), body]);
  const given = (headers['webhook-signature'] ?? '').split(' ').map((each) => each.split(','));
  return keys.some((key) => {
    const [prefix, text] = key.split('_');
    const bytes = Buffer.from(text, 'base64');
    if (prefix === 'whsec') {
      const wanted = createHmac('sha256', bytes).update(content).digest();
      const same = (signature) => signature.length === wanted.length && timingSafeEqual(signature, wanted);
      return given.some(([version, signature]) => version === 'v1' && same(Buffer.from(signature ?? '', 'base64')));
    }
    const publicKey = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') },
      format: 'jwk',
    });
    return given.some(
      ([version, signature]) =>
        version === 'v1a' && verify(null, content, publicKey, Buffer.from(signature ?? '', 'base64')),
    );
  });
}

/**
 * Your work, done once: deliveries come at least once, in any order. Insert the id into a table with a unique key, in
 * the transaction of your work; if it was there already, do nothing. What takes longer than a few seconds belongs into
 * a queue of yours: after 15 seconds a delivery counts as failed.
 */
async function handle(deliveryId, event) {
  console.log(deliveryId, event.type);
}

const keys = (process.env.WEBHOOK_KEYS ?? '').split(' ').filter(Boolean);
if (!keys.length) throw new Error('WEBHOOK_KEYS is not set');

createServer(async (request, response) => {
  try {
    const parts = [];
    let length = 0;
    for await (const part of request) {
      length += part.length;
      if (length <= MOST_BYTES) parts.push(part); // a longer body is cut, and so does not verify
    }
    const body = Buffer.concat(parts);
    const good = request.method === 'POST' && verified(keys, request.headers, body);
    if (good) await handle(request.headers['webhook-id'], JSON.parse(body));
    response.writeHead(good ? 204 : 401).end(); // any answer but 2xx lets certpipe try again
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}).listen(Number(process.argv[2]), '127.0.0.1');
