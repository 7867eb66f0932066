#!/usr/bin/env bash
# For hospital systems: signs in with client credentials (an administrator registered the client), analyses a folder of DICOM files
# in the order of their series, and writes a table. Exit codes: docs/integration.md.
set -euo pipefail
: "${HEPAR_URL:=http://127.0.0.1:8080}" "${HEPAR_CLIENT_ID:?}" "${HEPAR_CLIENT_SECRET:?}"
folder=${1:?"usage: hospital_batch.sh FOLDER TABLE.csv"} table=${2:?"usage: hospital_batch.sh FOLDER TABLE.csv"}
hepar=(python3 -m hepar_client)
command -v hepar > /dev/null && hepar=(hepar)

"${hepar[@]}" login --client-id "$HEPAR_CLIENT_ID"
"${hepar[@]}" analyse "$folder" --csv "$table"
echo "$(($(wc -l < "$table") - 1)) slices in $table"
