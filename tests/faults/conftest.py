"""The installations of the integration tests, for roles that faults meet."""

from tests.integration.conftest import base_model, install, template_cache
from tests.model.conftest import tiny_encoder_folder

__all__ = ["base_model", "install", "template_cache", "tiny_encoder_folder"]
