"""Search on data of your own: `python examples/own_arrays.py`.

Images of striped squares stand for the data. All that `automl` needs is an .npz file with `images` and `labels` (or `x`
and `y` for rows of features); it divides them into training, validation and test splits itself.
"""

import numpy as np

import automl


def striped_squares(count: int, side: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy greyscale images `(count, side, side)` of stripes in three directions, and their labels."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    directions = {"horizontal": rows, "vertical": columns, "diagonal": rows + columns}
    labels = rng.choice(list(directions), size=count)
    phases = rng.uniform(0, 2 * np.pi, size=count)
    waves = [np.sin(directions[label] + phase) for label, phase in zip(labels, phases, strict=True)]
    images = np.stack(waves) + rng.normal(scale=2.0, size=(count, side, side))
    return images.astype(np.float32), labels


def main() -> None:
    images, labels = striped_squares(600)
    np.savez("stripes.npz", images=images, labels=labels)
    study = automl.search(
        space="nas_bench_201",
        strategy="regularized_evolution",
        task="arrays",
        trials=6,
        options={"arrays": {"path": "stripes.npz"}, "train": {"epochs": 2}},
        storage="own_arrays.db",
    )
    best = study.best[0]
    print(f"trial {best.number}: accuracy {best.metrics['val_accuracy']:.3f} on the validation split")
    for decision, answer in best.architecture.items():
        print(f"  {decision}: {answer}")


if __name__ == "__main__":
    main()
