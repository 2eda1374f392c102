"""What all tests share: Hypothesis without deadlines, since these machines are noisy."""

from hypothesis import HealthCheck, settings

settings.register_profile("flowreaper", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flowreaper")
