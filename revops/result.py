"""What a check says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """One checked invariant: its name, whether it holds, the figures, and the rows of relations that were counted for it."""

    name: str
    passed: bool
    detail: str
    rows: Mapping[str, int] = field(default_factory=dict)


def listed(wrong: Sequence[str], names: Sequence[str] = (), most: int = 3) -> str:
    """The first of what is wrong, and how many more there are; with `names`, one for each, of what."""
    more = f"; and {len(wrong) - most} more" if len(wrong) > most else ""
    of = f": {', '.join(dict.fromkeys(names[most:]))}" if more and names else ""
    return "; ".join(wrong[:most]) + more + of
