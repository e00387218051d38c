"""A Pareto front under a limit of latency: `python examples/pareto_under_latency.py`.

Accuracy and parameters are two objectives, so that the answer is a front of trade-offs. Latency is a limit: what takes
longer on this machine than the limit is rejected before it is trained. The limit is what a mid-sized network takes
here, so that some are refused on any machine.
"""

import statistics

import automl

LATENCIES = 8


def typical_latency() -> float:
    """Return the median latency, in milliseconds, of a few random networks of the space."""
    study = automl.search(
        space="nas_bench_201",
        strategy="random_search",
        task="digits",
        evaluators=["latency"],
        trials=LATENCIES,
        options={"latency": {"repeats": 20}},
        storage="pareto.db",
    )
    return statistics.median(trial.metrics["latency_ms"] for trial in study.trials)


def main() -> None:
    limit = typical_latency()
    study = automl.search(
        space="nas_bench_201",
        strategy="nsga2",
        task="digits",
        evaluators=["cost", "latency", "train"],
        objectives=["val_accuracy:max", "params:min"],
        constraints=[f"latency_ms <= {limit:.3f}"],
        reference={"val_accuracy": 0.0, "params": 1e6},
        trials=10,
        options={"latency": {"repeats": 20}, "train": {"epochs": 1}, "strategy": {"population_size": 4}},
        storage="pareto.db",
    )
    rejected = sum(trial.state == "rejected" for trial in study.trials)
    print(f"limit {limit:.2f} ms: {rejected} of {len(study.trials)} trials rejected, untrained")
    for trial in study.best_trials:
        metrics = trial.metrics
        print(
            f"trial {trial.number}: accuracy {metrics['val_accuracy']:.3f}, {metrics['params']:,.0f} parameters, "
            f"{metrics['latency_ms']:.2f} ms"
        )
        assert metrics["latency_ms"] <= limit
    print(f"hypervolume {study.hypervolume:.4g}")


if __name__ == "__main__":
    main()
