"""Registration of the bundled strategies, evaluators, tasks, executors and trackers: one line each."""

from __future__ import annotations

from automl import Register, hookimpl


@hookimpl
def register_strategies(register: Register) -> None:
    """Register the bundled strategies."""
    home = "automl_plugins.strategies"
    register("random_search", f"{home}.random_search:RandomSearch", summary="Uniform sampling, the control.")
    register(
        "regularized_evolution",
        f"{home}.regularized_evolution:RegularizedEvolution",
        summary="Aging evolution by tournament and mutation (Real et al. 2019).",
    )
    register(
        "sep_crossover",
        f"{home}.sep_crossover:SepCrossover",
        summary="Evolution with shortest-edit-path crossover (Qiu and Miikkulainen 2023).",
    )
    register("tpe", f"{home}.tpe:Tpe", summary="Tree-structured Parzen estimator (Optuna).")


@hookimpl
def register_evaluators(register: Register) -> None:
    """Register the bundled evaluators."""
    home = "automl_plugins.evaluators"
    register("cost", f"{home}.cost:Cost", summary="Parameters and multiply-accumulates, exact, nothing allocated.")
    register("train", f"{home}.train:Train", summary="Train the network and measure it on the validation split.")


@hookimpl
def register_tasks(register: Register) -> None:
    """Register the bundled tasks."""
    home = "automl_plugins.tasks"
    register("digits", f"{home}.digits:Digits", summary="1,797 real handwritten digits of 8x8 pixels (scikit-learn).")
    register("arrays", f"{home}.arrays:Arrays", summary="Your own arrays from an .npz file.")
    register("image_folder", f"{home}.image_folder:ImageFolder", summary="Your own images, one folder per class.")


@hookimpl
def register_executors(register: Register) -> None:
    """Register the bundled executors."""
    home = "automl_plugins.executors"
    register("in_process", f"{home}.in_process:InProcess", summary="One evaluation at a time, in this process.")
    register("process_pool", f"{home}.process_pool:ProcessPool", summary="Worker processes that may crash alone.")


@hookimpl
def register_trackers(register: Register) -> None:
    """Register the bundled trackers."""
    home = "automl_plugins.trackers"
    register("mlflow", f"{home}.mlflow:Mlflow", summary="Mirror of the study in MLflow.")
    register("progress", f"{home}.progress:ProgressDisplay", summary="Live progress in the terminal.")
