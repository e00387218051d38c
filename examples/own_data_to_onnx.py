"""From a folder of images to a network in ONNX: `python examples/own_data_to_onnx.py`.

Drawn shapes stand for your photographs: one sub-folder per class is all that `automl` needs. It searches, trains the
best network on everything but the test split, writes it as ONNX, and predicts with onnxruntime, which knows nothing of
`automl` and gives the same answers as PyTorch. It needs `pip install 'automl-engine[onnx]'`.
"""

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image, ImageDraw

import automl


def draw_photos(folder: Path, count: int) -> None:
    """Write ``count`` noisy images of each of three shapes."""
    rng = np.random.default_rng(0)
    for name in ("circle", "square", "triangle"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = Image.fromarray(rng.integers(0, 90, (16, 16, 3), dtype=np.uint8))
            pen, (x, y) = ImageDraw.Draw(image), rng.integers(1, 6, 2).tolist()
            colour = tuple(rng.integers(120, 256, 3).tolist())
            if name == "circle":
                pen.ellipse((x, y, x + 9, y + 9), fill=colour)
            elif name == "square":
                pen.rectangle((x, y, x + 9, y + 9), fill=colour)
            else:
                pen.polygon([(x, y + 9), (x + 5, y), (x + 10, y + 9)], fill=colour)
            image.save(folder / name / f"{number}.png")


def main() -> None:
    draw_photos(Path("photos"), 60)
    study = automl.search(
        data="photos",
        strategy="regularized_evolution",
        trials=4,
        options={"train": {"epochs": 2}},
        storage="own_data.db",
    )
    print(
        f"found in {len(study.trials)} trials: {study.best_trial.metrics['val_accuracy']:.3f} on the validation split"
    )

    model = automl.retrain(study, epochs=4, seeds=1).models[0]
    print(f"retrained: {model.record.metrics['test_accuracy']:.3f} on the test split, seen once")

    exported = automl.export(study, ["onnx"], out="deployed")
    session = onnxruntime.InferenceSession(exported.file("onnx"))
    inputs = model.example_inputs(8)
    [outputs] = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    with torch.inference_mode():
        expected = model.network()(inputs).numpy()
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    names = model.record.task.class_names
    print(f"onnxruntime and PyTorch agree on {len(outputs)} random inputs; the classes are {', '.join(names)}")


if __name__ == "__main__":
    main()
