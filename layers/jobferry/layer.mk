# Builds the layer for the processor of the Makefile that includes this file: the pinned wheels, including boto3, and
# the package. `sam build` runs it in a copy of layers/jobferry. The same sources give the same bytes.

# Lambda's Python 3.13 runs on Amazon Linux 2023, whose C library is glibc 2.34.
PLATFORM := $(MACHINE)-manylinux_2_34
PACKAGES := $(ARTIFACTS_DIR)/python

build-JobferryLayer:
	@command -v uv >/dev/null || { echo "uv is not on the PATH; 'make build' sets it up" >&2; exit 1; }
	uv pip install --quiet --no-config --target "$(PACKAGES)" --python-platform $(PLATFORM) --python-version 3.13 \
	  --only-binary :all: --require-hashes --link-mode copy -r requirements.txt
	cp -R jobferry "$(PACKAGES)/jobferry"
	find "$(PACKAGES)" -depth -type d \( -name __pycache__ -o -name tests \) -exec rm -rf {} +
	rm -rf "$(PACKAGES)/bin" "$(PACKAGES)/.lock"
# Lambda cannot write bytecode to /opt, so compile it here: a cold start then takes a third of the time. Python must not
# check it against the source, because Lambda does not keep the source's dates.
	python3.13 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p /opt "$(PACKAGES)"

.PHONY: build-JobferryLayer
