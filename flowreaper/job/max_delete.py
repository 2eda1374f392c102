"""How many flows a run may call at most: a number, or a share of the flows that exist. Pure."""

import re
from dataclasses import dataclass
from fractions import Fraction

from flowreaper.errors import Advice, ConfigurationError, TooManyFlowsError
from flowreaper.escaping import printable

_WRITTEN = re.compile(r"([0-9]{1,18})|([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class MaxDelete:
    """How many flows a run may call: `flows`, or `percent` of the flows that exist in their spaces; one is None."""

    flows: int | None = None
    percent: Fraction | None = None

    def __str__(self) -> str:
        return f"{self.flows:,}" if self.percent is None else f"{float(self.percent):g}%"

    def require(self, to_call: int, existing: int = 0) -> None:
        """Refuse to call more flows than may be called; `existing` counts for a share alone, which is rounded down.

        Raises:
            TooManyFlowsError: `to_call` are more.
        """
        if self.percent is None:
            allowed, share = self.flows or 0, ""
        else:
            allowed = int(existing * self.percent / _WHOLE)
            share = f" ({self} of the {existing:,} flows in the input's spaces)"
        if to_call > allowed:
            raise TooManyFlowsError(
                f"{to_call:,} flow{'' if to_call == 1 else 's'} would be called, and at most {allowed:,} may be{share};"
                " nothing was sent",
                Advice.ALLOW_MORE,
            )


def parse_max_delete(given: int | str) -> MaxDelete:
    """Read a number of flows, or a share of them such as ``10%`` or ``0.5%``.

    Raises:
        ConfigurationError: it is neither.
    """
    found = _WRITTEN.fullmatch(str(given))
    percent = Fraction(found[2]) if found and found[2] else None
    if found is None or (percent is not None and percent > _WHOLE):
        raise ConfigurationError(
            f"max_delete must be a number of flows, or a share of them from 0% to 100%, not {printable(str(given))}",
            setting="max_delete",
        )
    return MaxDelete(percent=percent) if percent is not None else MaxDelete(flows=int(found[1]))
