# make demo    encode a real clip, decode it, score it beside x264 and x265; results in demo-out/
# make test    everything that must hold before a change is merged
# make build   release build of nvc and nvc-decode with media support
# make bench   rate-distortion figures of two clips beside x264 and x265, with a report in bench-out/quick (half an hour)
# make lint    formatting and warnings of every feature set

SHELL := /bin/bash -euo pipefail
CARGO ?= cargo
CLIPPY = $(CARGO) clippy --quiet --locked --all-targets
# all but the encoder
DECODER = --package nvc --package nvc-media --package nvc-lab --package nvc-cli --no-default-features

.PHONY: all build demo bench test lint fmt clippy layers deps test-deps clips clean-demo
.NOTPARALLEL:

all: build

build: deps
	$(CARGO) build --release --locked --features ffmpeg

demo:
	scripts/demo.sh

bench: build
	target/release/nvc bench benches/rd/quick.toml

# The closing lines are those of the release tests. The decoder layer's tests run in the debug build too, with overflow checks:
# the same vectors prove both builds alike. A fetched ffmpeg, where there is one, measures VMAF and XPSNR and codes VVC.
test: deps test-deps clips fmt layers
	$(CLIPPY) $(DECODER) -- -D warnings
	$(CLIPPY) --features ffmpeg -- -D warnings
	scripts/cargo-test.sh --locked $(DECODER)
	NVC_FFMPEG="$$(command -v ffmpeg):$$(scripts/fetch-ffmpeg.sh || true)" scripts/cargo-test.sh --release --locked --features ffmpeg

lint: deps fmt clippy layers

fmt:
	$(CARGO) fmt --check

clippy:
	$(CLIPPY) $(DECODER) -- -D warnings
	$(CLIPPY) $(DECODER) --features bench -- -D warnings
	$(CLIPPY) -- -D warnings
	$(CLIPPY) --features ffmpeg -- -D warnings

layers:
	scripts/check-layers.sh

deps:
	scripts/install-deps.sh

# Without these their tests say that they are skipped.
test-deps:
	@scripts/install-deps.sh anchors browser || echo "NOTE: going on without other codecs or a browser" >&2
	@scripts/python-env.sh || echo "NOTE: going on without the Python environment" >&2

# Without the clips their tests say that they are skipped.
clips:
	@datasets/fetch-clips.sh target/data || echo "NOTE: going on without the test clips" >&2

clean-demo:
	rm -rf demo-out
