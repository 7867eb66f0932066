#!/usr/bin/env bash
# Writes the lock files from pyproject.toml and triton.in: `make lock`. Known versions stay; `-U` takes newer ones.
# Each lock serves every supported Python, whichever of them runs this: 3.11 is the oldest.
# Extras stay too: where a package asks for coverage[toml], the pip of Python 3.11 holds a pin of plain coverage for another
# package, takes the newest release and then refuses it for want of a hash.
set -euo pipefail
cd "$(dirname "$0")/.."
compile="${UV:-.venv/bin/uv} pip compile --quiet --no-strip-extras --no-emit-index-url --no-header --no-annotate $* --python-version 3.11 -c requirements/floors.txt"
$compile --universal --generate-hashes --extra serve pyproject.toml -o requirements/serve.txt
$compile --universal --generate-hashes --extra serve --extra dev -c requirements/serve.txt pyproject.toml -o requirements/dev.txt
for image in gateway auth models study triton; do
  $compile --universal --generate-hashes --extra $image -c requirements/serve.txt pyproject.toml -o requirements/image-$image.txt
done
$compile --universal --generate-hashes -c requirements/serve.txt requirements/triton.in -o requirements/triton.txt
$compile --universal --generate-hashes requirements/client-generators.in -o requirements/client-generators.txt
$compile --universal --generate-hashes requirements/peers.in -o requirements/peers.txt
# Outside the floors: see peers-mlserver.in.
${compile/ -c requirements\/floors.txt/} --universal --generate-hashes requirements/peers-mlserver.in -o requirements/peers-mlserver.txt
# Without hashes: torch is a different file for CPU, CUDA and ROCm machines.
$compile --extra training pyproject.toml -o requirements/training.txt
