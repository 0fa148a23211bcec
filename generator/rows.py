"""Owns the columns of one month's transactions on their way to the file."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from generator.draws import Ints, Mask


@dataclass
class Rows:
    """Columns of one month's transactions; indexes into people, merchants and categories."""

    minutes: Ints
    cards: Ints
    categories: Ints
    merchants: Ints
    places: Ints
    online: Mask
    cents: Ints
    refunds: Mask
    fraud: Mask
    labelled: Mask

    def taken(self, order: Ints) -> Rows:
        """The rows in another order."""
        return Rows(*(getattr(self, field.name)[order] for field in fields(self)))

    def followed_by(self, other: Rows) -> Rows:
        """These rows, then the others."""
        return Rows(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))
