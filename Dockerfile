# An image of the toolkit; docs/cluster.md tells how it is built and run.
# Any base with Python 3.10 to 3.13 and its module venv.
ARG BASE=python:3.11-slim
FROM ${BASE}

# CPU or CUDA: what pip is told for torch. Empty: torch of pip's usual index, which on Linux x86-64 is built for CUDA.
# "--extra-index-url ADDRESS" of one of PyTorch's own indexes: its builds for processors, or for another CUDA.
ARG TORCH_ARGS=""
# Extras of pyproject.toml.
ARG EXTRAS="landmarks,log"
# Names of --checkpoint whose files are to lie inside; empty: none but the compact ones.
ARG WEIGHTS="mesh"

LABEL org.opencontainers.image.title="talkingface" \
      org.opencontainers.image.licenses="Apache-2.0"

ENV PATH="/opt/venv/bin:${PATH}" \
    PYTHONUNBUFFERED=1

# The largest layer first: it stays as it is while the code changes.
COPY constraints.txt /opt/talkingface/
# TORCH_ARGS are several words.
# hadolint ignore=SC2086
RUN python3 -m venv /opt/venv \
 && pip install --no-cache-dir --disable-pip-version-check -c /opt/talkingface/constraints.txt ${TORCH_ARGS} torch

COPY . /opt/talkingface
RUN pip install --no-cache-dir --disable-pip-version-check -c /opt/talkingface/constraints.txt \
      -e "/opt/talkingface[${EXTRAS}]" \
 && python -m compileall -q /opt/talkingface/talkingface
RUN for name in ${WEIGHTS}; do talkingface --run_mode=fetch --checkpoint="$name" || exit 1; done \
 && chmod -R a+rX /opt/talkingface \
 && mkdir -p /data

# All that is written goes below /data. It belongs to root here, so that a run whose results would be lost with its
# container, because no folder is mounted, ends with an error.
ENV HOME=/data \
    XDG_CACHE_HOME=/data/.cache \
    TMPDIR=/data \
    TORCHINDUCTOR_CACHE_DIR=/data/.cache/inductor \
    TRITON_CACHE_DIR=/data/.cache/triton \
    CUDA_CACHE_PATH=/data/.cache/cuda \
    USER=talkingface \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /data
USER 1000:1000
ENTRYPOINT ["talkingface"]
CMD ["--help"]
