# Two images from one file; neither needs a secret to build.
#   docker build --target serve  -t supportbot:serve .     answers; no torch in it
#   docker build --target worker -t supportbot:worker .    reindexes and trains; has torch
# CPU-only torch: --build-arg TORCH_INDEX=https://…

FROM python:3.13-slim-bookworm AS python
ENV PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini=0.19.* \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 supportbot \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home supportbot \
    && install --directory --owner=10001 --group=10001 /data

FROM python AS build-serve
WORKDIR /src
RUN python -m venv /opt/venv
COPY . .
RUN pip install --no-cache-dir -c constraints.txt .

FROM python AS build-worker
ARG TORCH_INDEX=
WORKDIR /src
RUN python -m venv /opt/venv \
    && if [ -n "$TORCH_INDEX" ]; then export PIP_INDEX_URL="$TORCH_INDEX"; fi \
    && pip install --no-cache-dir torch==2.13.0
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[train]'
# The default encoder, where bot/packaged.py finds what ships beside the code.
WORKDIR /opt/supportbot
RUN python -m bot.encoder_export all-MiniLM-L6-v2 int8 encoders/all-MiniLM-L6-v2-int8 \
    && cp -r encoders "$(python -c 'import bot; print(bot.__path__[0])')/_encoders"

FROM python AS runtime
WORKDIR /data
USER 10001:10001
VOLUME /data
ENTRYPOINT ["tini", "--", "supportbot"]
# The database answers; that the process lives is the engine's to see.
HEALTHCHECK --interval=60s --timeout=20s --start-period=120s --retries=3 \
    CMD ["supportbot", "db", "current"]

FROM runtime AS worker
COPY --from=build-worker /opt/venv /opt/venv
CMD ["worker"]

FROM runtime AS serve
COPY --from=build-serve /opt/venv /opt/venv
COPY --from=build-worker /opt/supportbot/encoders /opt/venv/lib/python3.13/site-packages/bot/_encoders
CMD ["run", "--no-worker"]
