#!/usr/bin/env bash
# A hospital system's way: signs in by itself (an administrator registered it), analyses a folder of DICOM files in the order of
# their series, and leaves a table. Exit codes: 0 all answered, 1 some not, 2 wrong use, 3 no gateway, 4 not signed in.
set -euo pipefail
: "${HEPAR_URL:=http://127.0.0.1:8080}" "${HEPAR_CLIENT_ID:?}" "${HEPAR_CLIENT_SECRET:?}"
folder=${1:?"usage: hospital_batch.sh FOLDER TABLE.csv"} table=${2:?"usage: hospital_batch.sh FOLDER TABLE.csv"}
hepar=(python3 -m hepar.client)
command -v hepar > /dev/null && hepar=(hepar)

"${hepar[@]}" login --client-id "$HEPAR_CLIENT_ID"
"${hepar[@]}" analyse "$folder" --csv "$table"
echo "$(($(wc -l < "$table") - 1)) slices in $table"
