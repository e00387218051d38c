"""Rank agreement of our proxies with the published scores of NAS-Bench-201 (NAS-Bench-Suite-Zero), on CIFAR-10.

    python benchmarks/proxy_agreement.py --networks 200 --draws 2

Weights are drawn again and the batch is another one, so that ranks can agree and values cannot: the figure is
Spearman's rank correlation, over random networks, between our value and the published one. Where a published code does
something else than its formula says, our option that does likewise is a row of its own, as ``fisher (broadcast)``. With
two draws, ``(ours)`` says how well they agree with each other, which bounds what agreement with a third can be. The
study ``proxies_nas_bench_201_cifar10`` has the agreement of more proxies, each in one form and one draw.

What limits the agreement:

* ``l2_norm``: PyTorch's initialisation gives a 1x1 and a 3x3 convolution the same expected norm, so that the published
  scores of all 9,445 cells lie on seven levels, one for each number of convolutions, 51 apart and 2.5 wide; inside a
  level they are the noise of one draw. Another draw orders the levels alike and each inside at random, which gives
  ``1 - sum of cubed shares of the levels = 0.941`` at best. Rounded to tens the two must agree fully.
* ``flops``: the published count has 9 operations for each pooled value and 3 for each normalised one.
* ``plain``: a sum of signed terms, nearly all of which cancel in front of batch normalisation; two draws of our own
  do not agree either.

Needs ``nasbench201`` and ``cifar10`` in ``AUTOML_DATA_DIR``.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
from pathlib import Path

import numpy as np
import torch
from _outcome import report
from numpy.typing import NDArray
from rich.progress import track
from scipy.stats import spearmanr
from torch import Tensor

from automl import Batch, ComponentSpec, Criterion, SplitName, Task, Unmeasurable, make_component, measure
from automl.plugins import registry
from automl_spaces.nas_bench_201 import Cell, NasBench201, NasBench201Options

Row = tuple[str, dict[str, bool], str]
"""A proxy, its options and the published column that it is compared with."""

PUBLISHED = {
    "params": "params",
    "flops": "flops",
    "l2_norm": "l2_norm",
    "grad_norm": "grad_norm",
    "snip": "snip",
    "plain": "plain",
    "grasp": "grasp",
    "fisher": "fisher",
    "synflow": "synflow",
    "jacob_cov": "jacov",
    "naswot": "nwot",
    "epe_nas": "epe_nas",
    "zen": "zen",
}
"""Published column of each of our proxies."""
VARIANTS: dict[str, Row] = {
    "fisher (broadcast)": ("fisher", {"broadcast": True}, "fisher"),
}
"""Forms of a proxy that are rows of their own."""
TARGETS = {
    **dict.fromkeys(("synflow", "snip", "grad_norm", "l2_norm (in tens)", "params", "flops"), (">=", 0.95)),
    "l2_norm": (">=", 0.9),
    **dict.fromkeys(("naswot", "fisher", "fisher (broadcast)"), (">=", 0.85)),
}
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Cifar(Task):
    """The shape of CIFAR-10; the images come from a file."""

    input_shape = (3, 32, 32)
    output_size = 10

    def load(self, split: SplitName) -> object:  # type: ignore[override]
        """Hold no data."""
        raise NotImplementedError

    def digest(self) -> str:
        """Return a constant."""
        return "cifar10"


def main() -> None:
    """Measure, compare and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0, help="chooses the networks")
    parser.add_argument("--draws", type=int, choices=(1, 2), default=1, help="of weights and batch")
    parser.add_argument("--proxies", nargs="*", default=list(PUBLISHED), help="names to compare; all by default")
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(os.environ["AUTOML_DATA_DIR"])
    installed = set(registry().names("proxy")) & set(given.proxies)
    rows: dict[str, Row] = {name: (name, {}, column) for name, column in PUBLISHED.items() if name in installed}
    rows |= {name: row for name, row in VARIANTS.items() if row[0] in installed}
    cells, published = drawn(folder, given.networks, given.seed)
    began = time.perf_counter()
    tables = [measured_table(folder, cells, rows, given, draw) for draw in range(given.draws)]
    table = tables[0]
    figures = {name: agreement(table[name], published[rows[name][2]]) for name in rows}
    figures |= {f"{name} (ours)": agreement(table[name], tables[-1][name]) for name in rows if len(tables) > 1}
    if "l2_norm" in rows:
        figures["l2_norm (in tens)"] = agreement(table["l2_norm"].round(-1), published["l2_norm"].round(-1))
    figures["seconds per network"] = (time.perf_counter() - began) / len(cells) / len(tables)
    report("proxy_agreement", figures, {name: target for name, target in TARGETS.items() if name in figures})


def measured_table(
    folder: Path, cells: list[Cell], rows: dict[str, Row], given: argparse.Namespace, draw: int
) -> dict[str, NDArray[np.float64]]:
    """Return our values of all cells by the name of their row, for one draw of weights and batches."""
    first = given.seed + 100_000 * draw
    found = [
        values(cell, batch_of(folder, given.batch, first + i), rows, first + i)
        for i, cell in enumerate(track(cells, "networks"))
    ]
    return {name: np.array([one[name] for one in found]) for name in rows}


def drawn(folder: Path, count: int, seed: int) -> tuple[list[Cell], dict[str, NDArray[np.float64]]]:
    """Return random cells of the published table, and its columns for them."""
    with np.load(folder / "nasbench201" / "zero_cost_9445.npz", allow_pickle=False) as archive:
        index, names, scores = archive["index"], archive["proxies"], archive["scores_cifar10"]
    with np.load(folder / "nasbench201" / "nasbench201.npz", allow_pickle=False) as archive:
        operations, op_names = archive["ops"], archive["op_names"]
    chosen = np.random.default_rng(seed).choice(len(index), count, replace=False)
    cells = [Cell(tuple(str(op_names[i]) for i in operations[index[row]])) for row in chosen]
    return cells, {str(name): scores[chosen, i].astype(float) for i, name in enumerate(names)}


@functools.cache
def images_of(folder: Path) -> tuple[Tensor, Tensor]:
    """Return 5,000 images of CIFAR-10, normalised, and their classes."""
    with np.load(folder / "cifar10" / "cifar10_5k1k.npz", allow_pickle=False) as archive:
        images = torch.from_numpy(archive["train_images"]).permute(0, 3, 1, 2).float() / 255
        labels = torch.from_numpy(archive["train_labels"]).long()
    return (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None], labels


def batch_of(folder: Path, size: int, seed: int) -> Batch:
    """Return a random batch."""
    images, labels = images_of(folder)
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:size]
    return Batch((images[chosen],), {}, labels[chosen])


def values(cell: Cell, batch: Batch, rows: dict[str, Row], seed: int) -> dict[str, float]:
    """Return the value of every row for one network; NaN where there is none."""
    space = NasBench201(NasBench201Options(channels=16, cells_per_stage=5))
    torch.manual_seed(seed)
    network = space.build(cell, Cifar())
    made = {name: make_component("proxy", ComponentSpec(name=row[0], options=row[1])) for name, row in rows.items()}
    measured = measure(network, batch, Criterion.of("classification"), made, seed=seed)
    readings = {name: measured[name].readings[made[name].declared[0].name] for name in rows}
    return {name: float("nan") if isinstance(found, Unmeasurable) else found for name, found in readings.items()}


def agreement(ours: NDArray[np.float64], published: NDArray[np.float64]) -> float:
    """Return Spearman's correlation where both have a value."""
    both = np.isfinite(ours) & np.isfinite(published)
    return float(spearmanr(ours[both], published[both]).statistic)


if __name__ == "__main__":
    main()
