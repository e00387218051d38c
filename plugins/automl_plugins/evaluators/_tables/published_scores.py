"""Published zero-cost scores of cells of NAS-Bench-201 [1], from the file that lies beside the table.

``zero_cost_9445.npz`` has them for the 9,445 cells in which no operation is cut off by ``none`` edges: ``index`` holds
rows of the table, ``proxies`` the names of the 13 proxies as published, and ``scores_cifar10`` `(9445, 13)` one draw of
weights and one batch of CIFAR-10 each. The source writes -1e8 where a proxy failed, which is no score and becomes "not
a number" here. Its ``synflow`` is a logarithm.

[1] Krishnakumar et al. NAS-Bench-Suite-Zero: Accelerating research on zero cost proxies. NeurIPS 2022.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl import Column, ConfigurationError, DataError, Metric, load_table

PREFIX = "published_"

_FAILED = -1e8


def score_columns(path: Path, dataset: str, rows: int) -> list[Column]:
    """Return a column ``published_<proxy>`` for each proxy, NaN where there is no score.

    Args:
        path: of the file of scores.
        dataset: which data set they are of.
        rows: of the table beside it.

    Raises:
        ConfigurationError: there are none for ``dataset``; says for which there are.
        DataError: the file is not in the compact form, or is of another table.
    """
    table = load_table(path)
    if f"scores_{dataset}" not in table:
        there = sorted(name.removeprefix("scores_") for name in table.arrays if name.startswith("scores_"))
        raise ConfigurationError(
            f"{path.name} has published scores for {', '.join(there) or 'no data set'}, not for {dataset}; set "
            "published_scores = false"
        )
    index, scores, proxies = table["index"], table[f"scores_{dataset}"].astype(float), table["proxies"].tolist()
    if scores.shape != (len(index), len(proxies)) or (len(index) and not 0 <= index.min() <= index.max() < rows):
        raise DataError(f"{path}: its rows are not those of a table of {rows:,} cells; get it again")
    columns = []
    for place, proxy in enumerate(proxies):
        values = np.full(rows, np.nan)
        values[index] = np.where(scores[:, place] == _FAILED, np.nan, scores[:, place])
        metric = Metric(
            f"{PREFIX}{proxy}", "max", "", f"Published score of {proxy}: one network, one batch of {dataset}."
        )
        columns.append(Column(metric, values))
    return columns


def absence(path: Path, row: int) -> str:
    """Return why a row of the table has no published score of some proxy."""
    index = load_table(path)["index"]
    if row in index:
        return f"undefined: the published code had no finite value ({_FAILED:.0e} in {path.name})"
    return f"unsupported: the cell is not among the {len(index):,} with published scores"
