"""How long to wait after trouble that may pass. Pure: the randomness is an argument."""

BASE_S = 0.5
CAP_S = 30.0


def backoff_s(attempts: int, luck: float) -> float:
    """Return the seconds to wait after the `attempts`-th failed call (1 or more).

    Exponential with full jitter: anywhere between 0 and min(30 s, 0.5 s x 2^(attempts-1)), where `luck`
    (0 to 1) says. Full jitter spreads flows that failed together best (AWS Architecture Blog, "Exponential
    Backoff And Jitter").
    """
    ceiling = min(CAP_S, BASE_S * (1 << min(attempts - 1, 16)))
    return ceiling * luck
