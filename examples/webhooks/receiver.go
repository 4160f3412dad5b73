// Receive certpipe's webhooks: verify each delivery, and answer 204.
//
//	WEBHOOK_KEYS=whsec_... go run receiver.go 8000
//
// WEBHOOK_KEYS: one or more keys with spaces between, so that an old one may overlap: `whsec_` secrets (v1, HMAC) or
// `whpk_` public keys (v1a, Ed25519), which may be shown to anybody. Standard library only.
package main

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const tolerance = 5 * time.Minute
const mostBytes = 1_000_000

// verified tells whether one of the signatures is by one of the keys, and the delivery is recent. body: as it came.
func verified(keys []string, headers http.Header, body []byte) bool {
	sentAt, err := strconv.ParseUint(headers.Get("webhook-timestamp"), 10, 40)
	if err != nil || math.Abs(time.Since(time.Unix(int64(sentAt), 0)).Seconds()) > tolerance.Seconds() {
		return false
	}
	content := append([]byte(headers.Get("webhook-id")+"."+headers.Get("webhook-timestamp")+"."), body...)
	for _, key := range keys {
		prefix, text, _ := strings.Cut(key, "_")
		bytes, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		mac := hmac.New(sha256.New, bytes)
		mac.Write(content)
		for _, given := range strings.Split(headers.Get("webhook-signature"), " ") {
			version, encoded, _ := strings.Cut(given, ",")
			signature, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				continue
			}
			if prefix == "whsec" && version == "v1" && hmac.Equal(signature, mac.Sum(nil)) {
				return true
			}
			if prefix == "whpk" && version == "v1a" && len(bytes) == ed25519.PublicKeySize &&
				ed25519.Verify(bytes, content, signature) {
				return true
			}
		}
	}
	return false
}

// handle is your work, done once: deliveries come at least once, in any order. Insert the id into a table with a unique
// key, in the transaction of your work; if it was there already, do nothing. What takes longer than a few seconds
// belongs into a queue of yours: after 15 seconds a delivery counts as failed.
func handle(deliveryID string, event map[string]any) {
	log.Println(deliveryID, event["type"])
}

func main() {
	keys := strings.Fields(os.Getenv("WEBHOOK_KEYS"))
	if len(keys) == 0 {
		log.Fatal("WEBHOOK_KEYS is not set")
	}
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes))
		var event map[string]any
		if err != nil || !verified(keys, r.Header, body) || json.Unmarshal(body, &event) != nil {
			w.WriteHeader(http.StatusUnauthorized) // any answer but 2xx lets certpipe try again
			return
		}
		handle(r.Header.Get("webhook-id"), event)
		w.WriteHeader(http.StatusNoContent)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(receive)))
}
