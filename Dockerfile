# One image for every role: `docker run IMAGE proxy`, `worker`, `controller`, `migrate`, …
#
# Tags are pinned to a version. Where builds must repeat to the byte, pin the digest as well:
# `docker buildx imagetools inspect node:26.10.0-slim` prints it, and it goes behind the tag as `@sha256:…`.

FROM node:26.10.0-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:26.10.0-slim
LABEL org.opencontainers.image.title="Holdfast" \
      org.opencontainers.image.description="Deploy a stateful chat service without closing a socket." \
      org.opencontainers.image.licenses="MIT"

# Inside a container, loopback would reach nobody. The health check needs a port that it knows.
ENV NODE_ENV=production \
    HOLDFAST_DATA_DIR=/data \
    HOLDFAST_HTTP_SERVER_ADDRESS=0.0.0.0 \
    HOLDFAST_HTTP_SERVER_INTERNAL_ADDRESS=0.0.0.0 \
    HOLDFAST_HTTP_SERVER_INTERNAL_PORT=9000 \
    HOLDFAST_CONTROLLER_ADDRESS=0.0.0.0

WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY apps apps
COPY cli cli
COPY cluster cluster
COPY config config
COPY controller controller
COPY engine engine
COPY log log
COPY observability observability
COPY platform platform
COPY protocol protocol
COPY proxy proxy
COPY schema schema
COPY store store
COPY testing testing
COPY worker worker

# Only the embedded engine writes here. With Kafka and MySQL the root file system may be read-only, with a tmpfs on /tmp.
RUN mkdir /data && chown node:node /data
USER node

EXPOSE 8000 8080 9000
# SIGTERM stops in order; shutdown.timeout must be shorter than what the container gets. `--init` reaps orphans.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HOLDFAST_HTTP_SERVER_INTERNAL_PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/cli/holdfast.js"]
CMD ["--help"]
