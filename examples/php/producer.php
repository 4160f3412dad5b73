<?php
// Publish one sealed upload to certpipe over AMQP, and print the answer.
//
//   AMQP_URL=amqp://user:secret@broker:5672/ php producer.php --certpipe=https://certpipe.example \
//       --organization=UUID --party=UUID --kind=fiel --certificate=my.cer --key=my.key < password.txt
//
// Needs PHP 8.1 with sodium and openssl, and php-amqplib (`apt install php-cli php-amqplib`, or composer).
// Exits 0 when the upload was accepted, 1 when it was refused or failed.

declare(strict_types=1);

use PhpAmqpLib\Connection\AMQPConnectionConfig;
use PhpAmqpLib\Connection\AMQPConnectionFactory;
use PhpAmqpLib\Message\AMQPMessage;

ini_set('zend.exception_ignore_args', '1'); // or a stack trace would quote AMQP_URL
set_exception_handler(function (Throwable $error): void { // one line tells enough
    fwrite(STDERR, $error::class . ': ' . $error->getMessage() . "\n");
    exit(1);
});

const ANSWER_WITHIN_SECONDS = 60;
const KEM = "KEM\x00\x20"; // DHKEM(X25519, HKDF-SHA256)
const HPKE = "HPKE\x00\x20\x00\x01\x00\x02"; // the same, with HKDF-SHA256 and AES-256-GCM

/** The public key to seal to, as a JWK. */
function sealing_key(string $certpipe): array
{
    $document = from_json(read("$certpipe/v1/sealing-keys"));
    return array_column($document['keys'], null, 'kid')[$document['current']];
}

/** LabeledExtract of RFC 9180 section 4. */
function extract_(string $suite, string $salt, string $label, string $material): string
{
    return hash_hmac('sha256', 'HPKE-v1' . $suite . $label . $material, $salt, true);
}

/** LabeledExpand of RFC 9180 section 4, for up to 32 bytes. */
function expand(string $suite, string $key, string $label, string $info, int $length): string
{
    $labeled = pack('n', $length) . 'HPKE-v1' . $suite . $label . $info;
    return substr(hash_hmac('sha256', $labeled . "\x01", $key, true), 0, $length);
}

/** HPKE base mode, single shot: `enc || ciphertext`. */
function hpke_seal(string $plaintext, string $public_key, string $info): string
{
    $ephemeral = random_bytes(SODIUM_CRYPTO_SCALARMULT_SCALARBYTES);
    $enc = sodium_crypto_scalarmult_base($ephemeral);
    $dh = sodium_crypto_scalarmult($ephemeral, $public_key);
    $shared = expand(KEM, extract_(KEM, '', 'eae_prk', $dh), 'shared_secret', $enc . $public_key, 32);

    $context = "\x00" . extract_(HPKE, '', 'psk_id_hash', '') . extract_(HPKE, '', 'info_hash', $info);
    $secret = extract_(HPKE, $shared, 'secret', '');
    $key = expand(HPKE, $secret, 'key', $context, 32);
    $nonce = expand(HPKE, $secret, 'base_nonce', $context, 12);
    $sealed = openssl_encrypt($plaintext, 'aes-256-gcm', $key, OPENSSL_RAW_DATA, $nonce, $tag);
    return $enc . $sealed . $tag;
}

/** The bundle as an HPKE box that opens for this upload of this organization only. */
function seal(array $bundle, array $key, string $upload_id, string $organization_id): array
{
    $public_key = sodium_base642bin($key['x'], SODIUM_BASE64_VARIANT_URLSAFE_NO_PADDING);
    $info = "certpipe/seal/v1|{$key['kid']}|$upload_id|$organization_id";
    $box = hpke_seal(to_json($bundle), $public_key, $info);
    return ['format' => 'hpke', 'kid' => $key['kid'], 'ciphertext' => base64_encode($box)];
}

/** Publish, and wait for the answer. An error means that certpipe did not get the message, unless it says otherwise. */
function publish(string $url, array $message): array
{
    (@include __DIR__ . '/vendor/autoload.php') || require 'PhpAmqpLib/autoload.php';
    $parts = parse_url($url);
    $user = rawurldecode($parts['user'] ?? 'guest');
    $config = new AMQPConnectionConfig();
    $config->setHost($parts['host']);
    $config->setPort($parts['port'] ?? ($parts['scheme'] === 'amqps' ? 5671 : 5672));
    $config->setUser($user);
    $config->setPassword(rawurldecode($parts['pass'] ?? 'guest'));
    $config->setVhost(rawurldecode(substr($parts['path'] ?? '', 1)) ?: '/');
    $config->setIsSecure($parts['scheme'] === 'amqps');
    $connection = AMQPConnectionFactory::create($config);
    $channel = $connection->channel();
    $channel->confirm_select();
    $channel->set_nack_handler(fn () => throw new RuntimeException('the broker did not take the message'));
    $channel->set_return_listener(fn ($code, $text) => throw new RuntimeException("not routed: $text"));
    [$replies] = $channel->queue_declare('', false, false, true, true);
    $answer = null;
    $channel->basic_consume($replies, '', false, true, true, false, function ($reply) use (&$answer, $message): void {
        if ($reply->get('correlation_id') === $message['upload_id']) {
            $answer = from_json($reply->body);
        }
    });
    $properties = [
        'content_type' => 'application/json',
        'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
        'user_id' => $user, // the broker checks it; it names the organization
        'reply_to' => $replies,
        'correlation_id' => $message['upload_id'],
    ];
    $channel->basic_publish(new AMQPMessage(to_json($message), $properties), 'certpipe.uploads', 'upload', true);
    $channel->wait_for_pending_acks_returns(ANSWER_WITHIN_SECONDS);
    while ($answer === null) {
        // Raises AMQPTimeoutException: publish again with the same --upload-id, it is the same upload.
        $channel->wait(null, false, ANSWER_WITHIN_SECONDS);
    }
    $connection->close();
    return $answer;
}

/** A UUIDv7 (RFC 9562): certpipe lists uploads in the order of their ids. */
function uuid7(): string
{
    $bytes = substr(pack('J', (int) (microtime(true) * 1000)), 2) . random_bytes(10);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x70);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

function read(string $path): string
{
    $content = @file_get_contents($path);
    return $content === false ? throw new RuntimeException(error_get_last()['message']) : $content;
}

function to_json(mixed $value, int $flags = 0): string
{
    return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | $flags);
}

function from_json(string $text): array
{
    return json_decode($text, true, 64, JSON_THROW_ON_ERROR);
}

$needed = ['certpipe', 'organization', 'party', 'kind', 'certificate', 'key'];
// The password comes from a file or standard input, never from an argument, which other users could read.
$given = getopt('', [...array_map(fn ($name) => "$name:", $needed), 'password-file:', 'upload-id:', 'dry-run']);
if ($missing = array_diff($needed, array_keys($given))) {
    fwrite(STDERR, 'missing: --' . implode(', --', $missing) . "\n");
    exit(2);
}

$bundle = [
    'certificate' => base64_encode(read($given['certificate'])),
    'private_key' => base64_encode(read($given['key'])),
    'password' => preg_replace('/\r?\n\z/', '', read($given['password-file'] ?? 'php://stdin')),
];
$upload_id = $given['upload-id'] ?? uuid7(); // the same id again is the same upload
$message = [
    'version' => 1,
    'upload_id' => $upload_id,
    'party_id' => $given['party'],
    'kind' => $given['kind'],
    'sealed' => seal($bundle, sealing_key($given['certpipe']), $upload_id, $given['organization']),
];
$dry_run = isset($given['dry-run']);
$answer = $dry_run ? $message : publish(getenv('AMQP_URL') ?: throw new RuntimeException('AMQP_URL is not set'), $message);
echo to_json($answer, JSON_PRETTY_PRINT), "\n";
exit($dry_run || $answer['accepted'] ? 0 : 1);
