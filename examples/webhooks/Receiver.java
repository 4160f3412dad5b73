// Receive certpipe's webhooks: verify each delivery, and answer 204.
//
//   WEBHOOK_KEYS=whsec_... java Receiver.java 8000
//
// WEBHOOK_KEYS: one or more keys with spaces between, so that an old one may overlap: `whsec_` secrets (v1, HMAC) or
// `whpk_` public keys (v1a, Ed25519), which may be shown to anybody. Java 17 or later, no dependencies.

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HexFormat;
import java.util.concurrent.Executors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

class Receiver {
    static final long TOLERANCE_SECONDS = 300;
    static final int MOST_BYTES = 1_000_000;

    /** Whether one of the signatures is by one of the keys, and the delivery is recent. `body`: as it came. */
    static boolean verified(String[] keys, Headers headers, byte[] body) throws GeneralSecurityException {
        String id = headers.getFirst("webhook-id"), sentAt = headers.getFirst("webhook-timestamp");
        String signatures = headers.getFirst("webhook-signature");
        if (id == null || signatures == null || sentAt == null || !sentAt.matches("[0-9]{1,12}")) return false;
        long age = System.currentTimeMillis() / 1000 - Long.parseLong(sentAt);
        if (Math.abs(age) > TOLERANCE_SECONDS) return false;
        var content = new ByteArrayOutputStream();
        content.writeBytes((id + "." + sentAt + ".").getBytes(StandardCharsets.UTF_8));
        content.writeBytes(body);
        for (String key : keys) {
            for (String given : signatures.split(" ")) {
                if (isBy(key, given, content.toByteArray())) return true;
            }
        }
        return false;
    }

    static boolean isBy(String key, String given, byte[] content) throws GeneralSecurityException {
        byte[] bytes = Base64.getDecoder().decode(key.substring(key.indexOf('_') + 1));
        if (key.startsWith("whsec_")) {
            var mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(bytes, "HmacSHA256"));
            String wanted = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(content));
            return MessageDigest.isEqual(wanted.getBytes(), given.getBytes());
        }
        if (!given.matches("v1a,[A-Za-z0-9+/]{86}==")) return false;
        // What stands before the 32 bytes of every Ed25519 key in its X.509 form (RFC 8410).
        byte[] encoded = HexFormat.of().parseHex("302a300506032b6570032100" + HexFormat.of().formatHex(bytes));
        var signature = Signature.getInstance("Ed25519");
        signature.initVerify(KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded)));
        signature.update(content);
        return signature.verify(Base64.getDecoder().decode(given.substring(4)));
    }

    /**
     * Your work, done once: deliveries come at least once, in any order. Insert the id into a table with a unique key,
     * in the transaction of your work; if it was there already, do nothing. What takes longer than a few seconds
     * belongs into a queue of yours: after 15 seconds a delivery counts as failed.
     */
    static void handle(String deliveryId, String json) {
        System.out.println(deliveryId + " " + json);
    }

    public static void main(String[] arguments) throws Exception {
        String[] keys = String.valueOf(System.getenv("WEBHOOK_KEYS")).trim().split(" +");
        if (!keys[0].startsWith("wh")) throw new IllegalStateException("WEBHOOK_KEYS is not set");
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", exchange -> {
            int status = 401; // any answer but 2xx lets certpipe try again
            try {
                Headers headers = exchange.getRequestHeaders();
                byte[] body = exchange.getRequestBody().readNBytes(MOST_BYTES); // a longer one does not verify
                if (verified(keys, headers, body)) {
                    handle(headers.getFirst("webhook-id"), new String(body, StandardCharsets.UTF_8));
                    status = 204;
                }
            } catch (GeneralSecurityException | RuntimeException error) {
                System.err.println(error);
                status = 500;
            }
            exchange.sendResponseHeaders(status, -1);
            exchange.close();
        });
        server.start();
    }
}
