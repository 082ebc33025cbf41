"""The installations of the integration tests, for roles that faults meet."""

from tests.integration.conftest import base_model, install, template_cache

__all__ = ["base_model", "install", "template_cache"]
