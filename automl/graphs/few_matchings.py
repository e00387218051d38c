"""All complete matchings of a few surviving pairs.

Where related graphs leave a handful of them, trying them all is cheaper than opening one more search node.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAX_MATCHINGS, MAX_STEPS, MAX_BITS = 8, 100, 60
"""A search node is closed by trying its matchings if there are no more, found in no more steps; a row is a word."""


def few_matchings(survives: NDArray[np.bool_]) -> list[list[int]] | None:
    """Return the columns of all complete matchings of surviving pairs but the diagonal one, or ``None`` if many.

    ``survives`` is `(r, r)`. The compiled loops do the same in the same order.
    """
    count = len(survives)
    if count > MAX_BITS or np.count_nonzero(survives) > 2 * count:
        return None
    masks: list[int] = (survives @ _bits(count)).tolist()
    options, taken, columns = masks[:1] + [0] * count, [0] * count, [0] * count
    found: list[list[int]] = []
    row, used, steps, last = 0, 0, 0, count - 1
    while row >= 0:
        left = options[row]
        if not left:
            row -= 1
            used ^= taken[row]
            continue
        steps += 1
        bit = left & -left
        options[row] = left ^ bit
        columns[row] = bit.bit_length() - 1
        if row == last:
            found.append(columns.copy())
        else:
            taken[row] = bit
            used |= bit
            row += 1
            options[row] = masks[row] & ~used
        if steps > MAX_STEPS or len(found) > MAX_MATCHINGS:
            return None
    return found[1:] if found and found[0] == list(range(count)) else found


@lru_cache(maxsize=64)
def _bits(count: int) -> NDArray[np.int64]:
    return 1 << np.arange(count)
