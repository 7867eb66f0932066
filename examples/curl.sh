#!/usr/bin/env bash
# A first call with curl: sign in, send an image, repeat the request safely, read an error.
set -euo pipefail
: "${HEPAR_URL:=http://127.0.0.1:8080}" "${HEPAR_EMAIL:?}" "${HEPAR_PASSWORD:?}"
image=${1:-samples/metastasis.png}
field() { python3 -c 'import json, sys; document = json.load(sys.stdin); print(*(document[name] for name in sys.argv[1:]))' "$@"; }

token=$(curl -sS --fail-with-body "$HEPAR_URL/v1/token" \
  --data-urlencode "username=$HEPAR_EMAIL" --data-urlencode "password=$HEPAR_PASSWORD" | field access_token)

key=$(python3 -c 'import uuid; print(uuid.uuid4())')
for try in first second; do
  echo "$try time:"
  curl -sS --fail-with-body "$HEPAR_URL/v1/classifications" -H "Authorization: Bearer $token" \
    -H "Idempotency-Key: $key" -H "Content-Type: image/png" --data-binary "@$image" | field outcome label
done

echo "a body that is not an image:"
curl -sS "$HEPAR_URL/v1/classifications" -H "Authorization: Bearer $token" -H "Content-Type: image/png" -d "words" | field type
