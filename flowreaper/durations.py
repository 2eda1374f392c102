"""How long something took or takes, in words: the one way for terminals, logs and reports. Pure."""


def duration(seconds: float) -> str:
    """Write a time span as a person would: 42 s, 3 min 20 s, 5 min, 55 h 33 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min")] if hours else [(minutes, "min"), (rest, "s")]
    return " ".join(f"{many:,} {unit}" for many, unit in parts if many) or "0 s"
