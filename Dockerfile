# One image, one command, several roles: docker run freshet windows | train | serve | topics | ...
# A smaller image without torch, for windows and serve alone: --build-arg EXTRAS=""
FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/freshet
ARG EXTRAS="--extra train"
WORKDIR /src
# Dependencies first: they change less often than the source.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project ${EXTRAS}
COPY README.md LICENSE ./
COPY schemas schemas
COPY model model
COPY consumers consumers
RUN uv sync --frozen --no-dev --no-editable ${EXTRAS}

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home freshet \
    && install -d -o freshet -g freshet /var/lib/freshet/store /var/cache/freshet
COPY --from=build /opt/freshet /opt/freshet
ENV PATH=/opt/freshet/bin:$PATH PYTHONUNBUFFERED=1 \
    FRESHET_STORE=/var/lib/freshet/store FRESHET_CACHE=/var/cache/freshet FRESHET_LOG_FORMAT=json \
    HF_HOME=/var/cache/freshet/huggingface
# By number, so that Kubernetes can check runAsNonRoot.
USER 10001:10001
WORKDIR /home/freshet
ENTRYPOINT ["freshet"]
CMD ["--help"]
