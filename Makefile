# make demo    encode a real picture and a clip, decode them, score them beside other codecs; results in demo-out/
# make test    everything that must hold before a change is merged
# make build   release build of nvc and nvc-decode with media support
# make bench   rate-distortion figures of two clips beside x264 and x265, with a report in bench-out/quick (half an hour)
# make lint    formatting, warnings of every feature set, documentation, licences
# make msrv    a check with the oldest toolchain that is stated (rust-version in Cargo.toml)

SHELL := /bin/bash -euo pipefail
CARGO ?= cargo
CLIPPY = $(CARGO) clippy --quiet --locked --all-targets
# all but the encoder
DECODER = --package nvc --package nvc-media --package nvc-lab --package nvc-cli --no-default-features

.PHONY: all build demo bench test lint fmt clippy layers doc deny msrv deps test-deps clips clean-demo
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
test: deps test-deps clips fmt layers doc
	$(CLIPPY) $(DECODER) -- -D warnings
	$(CLIPPY) --features ffmpeg -- -D warnings
	scripts/cargo-test.sh --locked $(DECODER)
	NVC_FFMPEG="$$(command -v ffmpeg):$$(scripts/fetch-ffmpeg.sh || true)" scripts/cargo-test.sh --release --locked --features ffmpeg

lint: deps fmt clippy layers doc deny

fmt:
	$(CARGO) fmt --check

clippy:
	$(CLIPPY) $(DECODER) -- -D warnings
	$(CLIPPY) $(DECODER) --features bench -- -D warnings
	$(CLIPPY) -- -D warnings
	$(CLIPPY) --features ffmpeg -- -D warnings

layers:
	scripts/check-layers.sh

# The face that users of the decoder's library see, and everything for those who work on it.
doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --no-deps --package nvc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --locked --no-deps --workspace --document-private-items --features ffmpeg

# Licences, sources, double versions and known vulnerabilities of what is depended on (deny.toml).
deny:
	@if ! command -v cargo-deny >/dev/null; then \
	  echo "NOTE: not checked: cargo-deny is missing (cargo install --locked cargo-deny)" >&2; \
	else \
	  $(CARGO) deny --locked --workspace --all-features check bans licenses sources; \
	  if $(CARGO) deny fetch db; then $(CARGO) deny --locked --workspace --all-features check advisories; \
	  else echo "NOTE: known vulnerabilities are not checked: no way to their list" >&2; fi; \
	fi

# Needs rustup, which fetches the toolchain.
msrv: deps
	$(CARGO) +$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) check --locked --workspace --features ffmpeg

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
