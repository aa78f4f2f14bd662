# docker build --tag bulkup .
# docker run --rm --volume bulkup:/data --volume ./photos:/photos:ro --env AWS_ACCESS_KEY_ID … \
#   bulkup push /photos --to s3://bucket/photos
FROM python:3.13-slim AS build
# Debian keeps one version of each; a pinned one is gone with its next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY docs/man docs/man
COPY docs/completions docs/completions
COPY src src
RUN python -m venv /opt/bulkup \
    && /opt/bulkup/bin/pip install --no-cache-dir --disable-pip-version-check ".[serve,watch]"

FROM python:3.13-slim
RUN useradd --uid 1000 --create-home --home-dir /data bulkup
COPY --from=build /opt/bulkup /opt/bulkup
ENV PATH=/opt/bulkup/bin:$PATH BULKUP_HOME=/data
# By number: Kubernetes cannot tell by a name that it is not root.
USER 1000
VOLUME /data
WORKDIR /data
# The manifest can be read: this holds for a command that works and for one that serves.
HEALTHCHECK --interval=1m --timeout=10s CMD ["bulkup", "status", "--quiet"]
ENTRYPOINT ["bulkup"]
CMD ["--help"]
