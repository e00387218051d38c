"""Search cells for handwritten digits from Python: `python examples/quickstart.py`.

Two epochs per candidate keep it to seconds; a search in earnest trains longer and tries more.
"""

import automl


def main() -> None:
    study = automl.search(
        space="nas_cell",
        strategy="sep_crossover",
        task="digits",
        trials=5,
        constraints=["params <= 2e4"],
        options={"train": {"epochs": 2}, "strategy": {"population_size": 3}},
        storage="quickstart.db",
    )
    for trial in study.trials:
        print(trial.number, trial.state, trial.note["operator"], trial.metrics.get("val_accuracy"))
    for trial in study.top(3):
        print(f"{trial.metrics['val_accuracy']:.3f} with {trial.metrics['params']:.0f} parameters")

    # Everything is in the store: another process can read the study, or search on.
    again = automl.load_study(study.name, storage="quickstart.db")
    assert [trial.key for trial in again.trials] == [trial.key for trial in study.trials]
    longer = automl.resume(study.name, trials=6, storage="quickstart.db")
    print(f"{study.name}: {longer.state} with {len(longer.trials)} trials")


if __name__ == "__main__":
    main()
