"""What all tests share: Hypothesis without deadlines, since machines are noisy, and more workers than cores."""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("flowreaper", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flowreaper")


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two a core: the end-to-end tests mostly wait for processes that keep a pace."""
    return 2 * (os.cpu_count() or 1)
