# Build stage: the lock file decides every version.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY src src
COPY templates templates
COPY migrations migrations
COPY rules rules
COPY benches benches
RUN cargo build --release --locked --bin signinel && mkdir /data

# Final stage: no shell, no root, certificates of the system; the binary and the rules.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/signinel /usr/local/bin/signinel
COPY --from=build /build/rules /usr/share/signinel/rules
COPY --from=build --chown=nonroot:nonroot /data /data
ENV SIGNINEL_DB=sqlite:///data/signinel.db \
    SIGNINEL_CONFIG=/etc/signinel/signinel.toml
VOLUME /data
USER nonroot
# Configuration, database and rules are sound; no request goes out.
HEALTHCHECK --interval=1m --timeout=20s --start-period=20s CMD ["signinel", "doctor", "--offline"]
ENTRYPOINT ["signinel"]
CMD ["run"]
