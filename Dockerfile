# SPDX-License-Identifier: Apache-2.0
# spillway's container image:   docker build -t REGISTRY/spillway:VERSION .
# The packages that the build needs are listed once, in config/build/deps.mk.

FROM debian:12-slim AS build
WORKDIR /src
# make asks apt for what deps.mk lists, without fixed versions: security fixes of the stable distribution are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends make \
 && rm -rf /var/lib/apt/lists/*
COPY Makefile VERSION ./
COPY config/build config/build
COPY tests/fuzz/rules.mk tests/fuzz/rules.mk
COPY tests/bench/rules.mk tests/bench/rules.mk
RUN make deps && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make -j"$(nproc)" all && strip build/spillway

FROM debian:12-slim
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libcurl4 libjson-c5 liblua5.4-0 libmicrohttpd12 libsqlite3-0 libssl3 libuv1 libyaml-0-2 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/spillway /usr/local/bin/spillway
COPY --from=build /src/LICENSE /usr/share/doc/spillway/LICENSE
# Nobody in particular; the manifests in config/kubernetes run it as this user too.
USER 65532:65532
EXPOSE 6443
ENTRYPOINT ["/usr/local/bin/spillway"]
CMD ["serve", "--config", "/etc/spillway/spillway.yaml"]
