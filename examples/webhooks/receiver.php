<?php

// Receive certpipe's webhooks: verify each delivery, and answer 204.
//
//   WEBHOOK_KEYS=whsec_... php -S 127.0.0.1:8000 receiver.php
//
// WEBHOOK_KEYS: one or more keys with spaces between, so that an old one may overlap: `whsec_` secrets (v1, HMAC) or
// `whpk_` public keys (v1a, Ed25519), which may be shown to anybody. PHP 8 with sodium, which belongs to PHP.

declare(strict_types=1);

const TOLERANCE_SECONDS = 300;
const MOST_BYTES = 1_000_000;

/** Whether one of the signatures is by one of the keys, and the delivery is recent. $body: as it came. */
function verified(array $keys, string $id, string $sentAt, string $signatures, string $body): bool
{
    if (!preg_match('/^[0-9]{1,12}$/D', $sentAt) || abs(time() - (int) $sentAt) > TOLERANCE_SECONDS) {
        return false;
    }
    $content = "$id.$sentAt.$body";
    foreach ($keys as $key) {
        [$prefix, $text] = explode('_', $key, 2);
        foreach (explode(' ', $signatures) as $given) {
            [$version, $base64] = explode(',', $given, 2) + ['', ''];
            $signature = (string) base64_decode($base64, true);
            $bytes = base64_decode($text);
            if ($prefix === 'whsec' && $version === 'v1') {
                $good = hash_equals(hash_hmac('sha256', $content, $bytes, true), $signature);
            } elseif ($prefix === 'whpk' && $version === 'v1a') {
                $good = strlen($signature) === SODIUM_CRYPTO_SIGN_BYTES
                    && sodium_crypto_sign_verify_detached($signature, $content, $bytes);
            } else {
                $good = false;
            }
            if ($good) {
                return true;
            }
        }
    }
    return false;
}

/**
 * Your work, done once: deliveries come at least once, in any order. Insert the id into a table with a unique key, in
 * the transaction of your work; if it was there already, do nothing. What takes longer than a few seconds belongs into
 * a queue of yours: after 15 seconds a delivery counts as failed.
 */
function handle(string $deliveryId, array $event): void
{
    error_log("$deliveryId {$event['type']}");
}

$keys = preg_split('/ /', getenv('WEBHOOK_KEYS') ?: '', -1, PREG_SPLIT_NO_EMPTY);
if (!$keys) {
    http_response_code(500);
    exit('WEBHOOK_KEYS is not set');
}
$header = fn (string $name): string => $_SERVER["HTTP_WEBHOOK_$name"] ?? '';
// A body that is longer is cut, and so does not verify.
$body = (string) file_get_contents('php://input', false, null, 0, MOST_BYTES);
$good = verified($keys, $header('ID'), $header('TIMESTAMP'), $header('SIGNATURE'), $body);
if ($good) {
    handle($header('ID'), json_decode($body, true, 64, JSON_THROW_ON_ERROR));
}
http_response_code($good ? 204 : 401); // any answer but 2xx lets certpipe try again
