"""Compact files of made-up numbers in exactly the form of the real ones, so that tests need no data."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from automl import Architecture, write_table

OPERATIONS_201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
OPERATIONS_101 = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
PAIRS = tuple(itertools.combinations(range(7), 2))


def write_nas_bench_201(
    folder: Path, *, time: bool = False, datasets: tuple[str, ...] = ("cifar10", "cifar100")
) -> Path:
    """Write all 15,625 cells; accuracies grow with the convolutions. CIFAR-100 has no mean of validation."""
    rng = np.random.default_rng(0)
    ops = np.array(list(itertools.product(range(5), repeat=6)), dtype=np.uint8)
    count = len(ops)
    base = 40 + 8 * (ops == 3).sum(1) + 3 * (ops == 2).sum(1) + rng.normal(0, 2, count)
    arrays = {
        "op_names": np.array(OPERATIONS_201),
        "edge_from": np.array([0, 0, 1, 0, 1, 2], dtype=np.uint8),
        "edge_to": np.array([1, 2, 2, 3, 3, 3], dtype=np.uint8),
        "ops": ops,
        "cifar10_mean_clean": rng.random(count) > 0.01,
    }
    for dataset in datasets:
        for split in ("valid", "test"):
            mean = np.clip(base + rng.normal(0, 0.5, count), 1, 99)
            arrays[f"{dataset}_{split}_12"] = np.float32(np.clip(mean - 10, 1, 99))
            arrays[f"{dataset}_{split}_200_run"] = np.float32(np.clip(mean + rng.normal(0, 0.3, count), 1, 99))
            if (dataset, split) != ("cifar100", "valid"):
                arrays[f"{dataset}_{split}_200_mean"] = np.float32(mean)
            if time:
                arrays[f"{dataset}_{split}_200_time_s"] = np.float32(rng.uniform(1000, 2000, count))
        arrays[f"{dataset}_params_m"] = np.float32(0.1 + 0.01 * (ops == 3).sum(1))
        arrays[f"{dataset}_mflops"] = np.float32(10 + (ops == 3).sum(1))
    path = folder / "nasbench201" / "nasbench201.npz"
    write_table(path, arrays)
    return path


def write_devices(folder: Path) -> None:
    """Write the three files of devices, two devices in each."""
    rng = np.random.default_rng(1)
    home = folder / "nasbench201"
    latency = {name: np.float32(rng.uniform(1, 9, 15625)) for name in ("pixel3", "1080ti_1")}
    write_table(home / "latency_ms.npz", latency)
    table = np.float32(rng.uniform(1, 9, (15625, 3)))
    table[::7, 2] = -1
    columns = np.array(["edgegpu_latency", "edgegpu_energy", "edgetpu_latency"])
    write_table(home / "hw_nas_bench.npz", {"columns": columns, "cifar10": table, "cifar100": table + 1})
    names = ("lat_ms_pi5_onnx_cifar100", "energy_mj_pi5_onnx_cifar100", "lat_ms_pi5_onnx_darcy")
    write_table(home / "edge_devices.npz", {name: np.float32(rng.uniform(1, 9, 15625)) for name in names})


def write_published_scores(folder: Path) -> Path:
    """Write scores of two proxies for every second cell; every seventh of them failed in ``nwot``."""
    rng = np.random.default_rng(3)
    index = np.arange(0, 15625, 2, dtype=np.int16)
    scores = np.float32(rng.normal(0, 5, (len(index), 2)))
    scores[::7, 1] = -1e8
    path = folder / "nasbench201" / "zero_cost_9445.npz"
    write_table(path, {"index": index, "proxies": np.array(["synflow", "nwot"]), "scores_cifar10": scores})
    return path


def write_nas_bench_101(folder: Path, cells: list[Architecture]) -> Path:
    """Write a sample with the given architectures of space nas_cell, pruned, as rows."""
    rng = np.random.default_rng(2)
    rows = [_row(cell) for cell in cells]
    score = np.array([sum(1 for place in ops if place == 0) for _, _, ops in rows])
    count = len(rows)
    arrays = {
        "op_names": np.array(OPERATIONS_101),
        "hash": rng.integers(0, 256, (count, 16), dtype=np.uint8),
        "n_vertices": np.array([vertices for vertices, _, _ in rows], dtype=np.uint8),
        "edges": np.array([edges for _, edges, _ in rows], dtype=np.uint32),
        "ops": np.array([[*ops, *[255] * (5 - len(ops))] for _, _, ops in rows], dtype=np.uint8),
        "train_time_s_108": np.float32(500 + 300 * score),
        "params": np.int32(1_000_000 * (1 + score)),
    }
    for epochs in (4, 12, 36, 108):
        arrays[f"valid_acc_{epochs}"] = np.float32(0.5 + epochs / 1000 + 0.05 * score + rng.normal(0, 0.005, count))
    path = folder / "nasbench101" / "sample30k.npz"
    write_table(path, arrays)
    return path


def _row(cell: Architecture) -> tuple[int, int, list[int]]:
    edges = [pair for pair in PAIRS if cell[f"edge_{pair[0]}_{pair[1]}"]]
    ahead, back = {0}, {6}
    for source, target in edges:
        ahead |= {target} if source in ahead else set()
    for source, target in reversed(edges):
        back |= {source} if target in back else set()
    live = sorted(ahead & back)
    place = {node: number for number, node in enumerate(live)}
    pairs = list(itertools.combinations(range(len(live)), 2))
    bits = sum(1 << pairs.index((place[i], place[j])) for i, j in edges if i in place and j in place)
    return len(live), bits, [OPERATIONS_101.index(cell[f"operation_{node}"]) for node in live[1:-1]]
