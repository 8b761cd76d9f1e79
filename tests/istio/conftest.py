"""What istiod answered about random meshes, loaded once."""

from __future__ import annotations

import pytest

from tests.istio.conformance_record import Loaded, read_recorded


@pytest.fixture(scope="session")
def recorded() -> list[Loaded]:
    """Load the meshes that were recorded."""
    return [Loaded(each, each.case.mesh()) for each in read_recorded()]
