"""The base model, the graph template and the installations that the integration tests share."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.broker import Broker
from consumers.settings import Settings, load_settings
from consumers.topics_admin import ensure_topics
from model.config import EncoderConfig
from model.encoder import Encoder
from model.onnx_export import load_template
from tests.integration.installation import Installation, write_config
from tests.model.tiny import write_tiny_encoder

Install = Callable[..., Installation]


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT on disk."""
    return write_tiny_encoder(tmp_path_factory.mktemp("base-model") / "tiny")


@pytest.fixture(scope="session")
def template_cache(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that holds the exported graph: the export costs seconds and is paid once."""
    cache = tmp_path_factory.mktemp("cache")
    name = str(base_model)
    encoder = Encoder.load(name, config=EncoderConfig(base_model=name), device="cpu")
    load_template(encoder, cache)
    return cache


@pytest.fixture(scope="module")
def install(
    kafka: Broker,
    base_model: Path,
    template_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Install]:
    """Makes installations: a window size, parts of the tasks file, and any other setting."""
    made: list[Installation] = []

    def make(
        *,
        records: int = 40,
        defaults: dict[str, Any] | None = None,
        tasks: dict[str, Any] | None = None,
        **more: Any,
    ) -> Installation:
        folder = tmp_path_factory.mktemp("installation")
        config = write_config(
            folder / "tasks.yaml", base_model, records=records, defaults=defaults, tasks=tasks
        )
        settings: Settings = load_settings(
            prefix=f"i{uuid.uuid4().hex[:10]}-",
            partitions=2,
            store=str(folder / "store"),
            cache=template_cache,
            config=config,
            device="cpu",
            session_timeout_seconds=6.0,
            **{"bootstrap_servers": kafka.bootstrap_servers, **more},
        )
        ensure_topics(settings)
        made.append(Installation(settings, folder))
        return made[-1]

    yield make
    for installation in made:
        installation.close()
