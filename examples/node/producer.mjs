// Publish one sealed upload to certpipe over AMQP, and print the answer.
//
//   AMQP_URL=amqp://user:secret@broker:5672/ node producer.mjs --certpipe https://certpipe.example \
//       --organization UUID --party UUID --kind fiel --certificate my.cer --key my.key < password.txt
//
// Needs Node 18.11 or later and `npm install`. Exits 0 when the upload was accepted, 1 when it was refused or failed.

import { createCipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const ANSWER_WITHIN_MS = 60_000;

/** The public key to seal to, as a JWK. */
async function sealingKey(certpipe) {
  const answer = await fetch(`${certpipe}/v1/sealing-keys`);
  if (!answer.ok) throw new Error(`GET /v1/sealing-keys: HTTP ${answer.status}`);
  const { current, keys } = await answer.json();
  return keys.find((key) => key.kid === current);
}

const uint32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** The bundle as a compact JWE (ECDH-ES, A256GCM) that opens for this upload of this organization only. */
function seal(bundle, { kty, crv, x, kid }, uploadId, organizationId) {
  const ephemeral = generateKeyPairSync('x25519');
  const epk = ephemeral.publicKey.export({ format: 'jwk' });
  const header = { alg: 'ECDH-ES', enc: 'A256GCM', kid, sub: uploadId, iss: organizationId, epk };
  const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url');

  // RFC 7518 section 4.6.2: one round of the Concat KDF, with empty apu and apv.
  const publicKey = createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey });
  const otherInfo = [uint32(7), Buffer.from('A256GCM'), uint32(0), uint32(0), uint32(256)];
  const key = createHash('sha256').update(Buffer.concat([uint32(1), shared, ...otherInfo])).digest();

  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(protectedHeader));
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(bundle), 'utf8'), cipher.final()]);
  const rest = [iv, ciphertext, cipher.getAuthTag()].map((part) => part.toString('base64url'));
  return { format: 'jwe', kid, ciphertext: [protectedHeader, '', ...rest].join('.') };
}

/** Publish, and wait for the answer. An error means that certpipe did not get the message, unless it says otherwise. */
async function publish(url, message) {
  const { connect } = await import('amqplib'); // here, because a dry run needs no broker
  const connection = await connect(url);
  try {
    const channel = await connection.createConfirmChannel();
    const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });
    const answered = new Promise((resolve, reject) => {
      const late = 'no answer yet; publish again with the same --upload-id: it is the same upload';
      setTimeout(() => reject(new Error(late)), ANSWER_WITHIN_MS).unref();
      channel.on('return', ({ fields }) => reject(new Error(`not routed: ${fields.replyText}`)));
      channel.on('error', reject);
      const heard = (reply) => {
        if (reply?.properties.correlationId === message.upload_id) resolve(JSON.parse(reply.content));
      };
      channel.consume(replyTo, heard, { noAck: true }).catch(reject);
    });
    channel.publish('certpipe.uploads', 'upload', Buffer.from(JSON.stringify(message)), {
      contentType: 'application/json',
      persistent: true,
      mandatory: true,
      userId: decodeURIComponent(new URL(url).username || 'guest'), // the broker checks it; it names the organization
      replyTo,
      correlationId: message.upload_id,
    });
    const [answer] = await Promise.all([answered, channel.waitForConfirms()]);
    return answer;
  } finally {
    await connection.close();
  }
}

/** A UUIDv7 (RFC 9562): certpipe lists uploads in the order of their ids. */
function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// One line: a stack helps nobody, and may quote the URL.
process.on('uncaughtException', (error) => {
  console.error([error.name, error.message, error.code, error.cause?.code ?? error.cause?.message].filter(Boolean).join(': '));
  process.exit(1);
});

const needed = ['certpipe', 'organization', 'party', 'kind', 'certificate', 'key'];
const { values: given } = parseArgs({
  options: {
    ...Object.fromEntries(needed.map((name) => [name, { type: 'string' }])),
    'password-file': { type: 'string' }, // default: standard input; never an argument, which other users could read
    'upload-id': { type: 'string' }, // the same id again is the same upload
    'dry-run': { type: 'boolean' }, // print the message instead of publishing it
  },
});
const missing = needed.filter((name) => !given[name]);
if (missing.length) {
  console.error(`missing: ${missing.map((name) => `--${name}`).join(', ')}`);
  process.exit(2);
}

const bundle = {
  certificate: readFileSync(given.certificate).toString('base64'),
  private_key: readFileSync(given.key).toString('base64'),
  password: readFileSync(given['password-file'] ?? 0, 'utf8').replace(/\r?\n$/, ''),
};
const uploadId = given['upload-id'] ?? uuid7();
const message = {
  version: 1,
  upload_id: uploadId,
  party_id: given.party,
  kind: given.kind,
  sealed: seal(bundle, await sealingKey(given.certpipe), uploadId, given.organization),
};
if (!given['dry-run'] && !process.env.AMQP_URL) throw new Error('AMQP_URL is not set');
const answer = given['dry-run'] ? message : await publish(process.env.AMQP_URL, message);
console.log(JSON.stringify(answer, null, 2));
process.exitCode = given['dry-run'] || answer.accepted ? 0 : 1;
