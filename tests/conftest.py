"""What all tests share: Hypothesis without deadlines, more workers than cores, and signals that are not ignored."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("flowreaper", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flowreaper")

# nohup, and a shell that starts a job in the background, ignore signals for all that they start; so would the commands
# that the tests start, which keep what they inherit.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two a core: the end-to-end tests mostly wait for processes that keep a pace."""
    return 2 * (os.cpu_count() or 1)
