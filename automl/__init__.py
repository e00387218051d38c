"""automl: architecture search with everything interesting in plugins.

This is the one public door: what is listed here is a promise, and plugins import nothing else of the core. Names are
loaded on first use, so ``import automl`` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from automl.version import __version__

if TYPE_CHECKING:
    from automl.analysis import Analysis, AnalysisTable, Findings, ReportProgress, make_component
    from automl.api import load_study, resume, search
    from automl.architecture import Architecture
    from automl.asking import AskedTrial
    from automl.auxiliary import HasAuxiliaryOutputs, training_outputs
    from automl.cascade import Cascade, Job, OnReport, Outcome
    from automl.catalogue import Catalogue, CatalogueEntry, CataloguePage, Plot
    from automl.comparison.api import compare
    from automl.comparison.comparison import Comparison, load_comparison
    from automl.comparison.files import write_files
    from automl.comparison.report import ComparisonReport
    from automl.conditions import Condition
    from automl.correlation.api import correlate
    from automl.correlation.figures import correlation_figures
    from automl.correlation.files import correlation_files
    from automl.correlation.report import CorrelationReport, correlation_report
    from automl.crossover_drawing import draw_crossover
    from automl.data import DataError, DataFile, DataSource, data_folder, find_data
    from automl.decisions import (
        Categorical,
        Chooser,
        Decision,
        EnumeratingChooser,
        Index,
        Integer,
        RandomChooser,
        Real,
        RecordingChooser,
        ReplayChooser,
        Subset,
        Value,
    )
    from automl.definition import ComponentSpec, StudyDefinition
    from automl.drawing import draw
    from automl.errors import (
        AutomlError,
        ConfigurationError,
        InvalidArchitecture,
        PluginError,
        Pruned,
        StoreError,
        TaskError,
        TestSplitSealed,
        UsageError,
    )
    from automl.evaluator import Candidate, Context, Direction, Evaluator, EvaluatorOptions, Metric
    from automl.executor import Executor, Slots
    from automl.explanation import Explanation
    from automl.exporter import Exportable, Exporter, Loading
    from automl.exports.api import Exported, export
    from automl.given import GivenArchitectures, given_architectures
    from automl.graphs.canonical import canonical_key
    from automl.graphs.edit_distance import EditCosts, edit_distance
    from automl.graphs.edit_path import EditPath, random_topological_order, sample_jointly
    from automl.hooks import Register, component, hookimpl
    from automl.models.api import retrain
    from automl.models.ensemble import TrainedEnsemble
    from automl.models.record import ModelError, ModelRecord
    from automl.models.retraining import Retrained
    from automl.models.shaped import ShapedTask
    from automl.models.trained import TrainedModel, models_folder, trained_models
    from automl.models.trainer import Trainer
    from automl.objectives import Goal, Objective, dominates, pareto_front
    from automl.options import BaseOptions, Component
    from automl.own_loop import open_study
    from automl.plugins import isolated
    from automl.proxies.activations import Activation, WatchedActivations, register_activation
    from automl.proxies.aggregator import Aggregator
    from automl.proxies.batch import Batch, InputKind
    from automl.proxies.bench import Bench
    from automl.proxies.copying import private_copy
    from automl.proxies.measurement import Reading, Score, Unmeasurable
    from automl.proxies.networks import (
        NORMALISATIONS,
        BnMode,
        check_real,
        is_innermost,
        is_weighted_layer,
        plain_autograd,
        set_mode,
        trainable,
        weighted_layers,
    )
    from automl.proxies.observer import Observer
    from automl.proxies.outputs import Criterion, ProblemKind, logits_of
    from automl.proxies.passes import Need
    from automl.proxies.proxy import Proxy
    from automl.proxies.scoring import Measured, measure, merged
    from automl.recipe import Recipe
    from automl.recognition import Guess, Recognised, recognise
    from automl.report.toml import study_file
    from automl.seeds import derive_rng, derive_seed
    from automl.space import GraphSpace, SearchSpace
    from automl.storage.records import TrialRecord
    from automl.strategy import Problem, Proposal, Strategy
    from automl.study import Study
    from automl.supernet import Selectable, Supernet, chosen_network, selectables
    from automl.tables import Column, NotInTable, Table, TableEvaluator, load_table, write_table
    from automl.task import Split, SplitName, Task, TaskKind, TensorSplit, digest_of
    from automl.threads import threads_fixed
    from automl.tracker import Progress, Tracker
    from automl.trial import Trial, TrialState

_HOMES = {
    "analysis": ("Analysis", "AnalysisTable", "Findings", "ReportProgress", "make_component"),
    "api": ("load_study", "resume", "search"),
    "architecture": ("Architecture",),
    "asking": ("AskedTrial",),
    "auxiliary": ("HasAuxiliaryOutputs", "training_outputs"),
    "cascade": ("Cascade", "Job", "OnReport", "Outcome"),
    "catalogue": ("Catalogue", "CatalogueEntry", "CataloguePage", "Plot"),
    "comparison.api": ("compare",),
    "comparison.comparison": ("Comparison", "load_comparison"),
    "comparison.files": ("write_files",),
    "comparison.report": ("ComparisonReport",),
    "conditions": ("Condition",),
    "correlation.api": ("correlate",),
    "correlation.figures": ("correlation_figures",),
    "correlation.files": ("correlation_files",),
    "correlation.report": ("CorrelationReport", "correlation_report"),
    "crossover_drawing": ("draw_crossover",),
    "data": ("DataError", "DataFile", "DataSource", "data_folder", "find_data"),
    "decisions": (
        "Categorical",
        "Chooser",
        "Decision",
        "EnumeratingChooser",
        "Index",
        "Integer",
        "RandomChooser",
        "Real",
        "RecordingChooser",
        "ReplayChooser",
        "Subset",
        "Value",
    ),
    "definition": ("ComponentSpec", "StudyDefinition"),
    "drawing": ("draw",),
    "errors": (
        "AutomlError",
        "ConfigurationError",
        "InvalidArchitecture",
        "PluginError",
        "Pruned",
        "StoreError",
        "TaskError",
        "TestSplitSealed",
        "UsageError",
    ),
    "evaluator": ("Candidate", "Context", "Direction", "Evaluator", "EvaluatorOptions", "Metric"),
    "executor": ("Executor", "Slots"),
    "exporter": ("Exportable", "Exporter", "Loading"),
    "exports.api": ("Exported", "export"),
    "given": ("GivenArchitectures", "given_architectures"),
    "explanation": ("Explanation",),
    "graphs.canonical": ("canonical_key",),
    "graphs.edit_distance": ("EditCosts", "edit_distance"),
    "graphs.edit_path": ("EditPath", "random_topological_order", "sample_jointly"),
    "hooks": ("Register", "component", "hookimpl"),
    "models.api": ("retrain",),
    "models.ensemble": ("TrainedEnsemble",),
    "models.record": ("ModelError", "ModelRecord"),
    "models.retraining": ("Retrained",),
    "models.shaped": ("ShapedTask",),
    "models.trained": ("TrainedModel", "models_folder", "trained_models"),
    "models.trainer": ("Trainer",),
    "objectives": ("Goal", "Objective", "dominates", "pareto_front"),
    "options": ("BaseOptions", "Component"),
    "own_loop": ("open_study",),
    "plugins": ("isolated",),
    "proxies.activations": ("Activation", "WatchedActivations", "register_activation"),
    "proxies.aggregator": ("Aggregator",),
    "proxies.batch": ("Batch", "InputKind"),
    "proxies.bench": ("Bench",),
    "proxies.measurement": ("Reading", "Score", "Unmeasurable"),
    "proxies.copying": ("private_copy",),
    "proxies.networks": (
        "NORMALISATIONS",
        "BnMode",
        "check_real",
        "is_innermost",
        "is_weighted_layer",
        "plain_autograd",
        "set_mode",
        "trainable",
        "weighted_layers",
    ),
    "proxies.observer": ("Observer",),
    "proxies.outputs": ("Criterion", "ProblemKind", "logits_of"),
    "proxies.passes": ("Need",),
    "proxies.proxy": ("Proxy",),
    "proxies.scoring": ("Measured", "measure", "merged"),
    "recipe": ("Recipe",),
    "recognition": ("Guess", "Recognised", "recognise"),
    "report.toml": ("study_file",),
    "seeds": ("derive_rng", "derive_seed"),
    "space": ("GraphSpace", "SearchSpace"),
    "storage.records": ("TrialRecord",),
    "strategy": ("Problem", "Proposal", "Strategy"),
    "study": ("Study",),
    "supernet": ("Selectable", "Supernet", "chosen_network", "selectables"),
    "tables": ("Column", "NotInTable", "Table", "TableEvaluator", "load_table", "write_table"),
    "task": ("Split", "SplitName", "Task", "TaskKind", "TensorSplit", "digest_of"),
    "threads": ("threads_fixed",),
    "tracker": ("Progress", "Tracker"),
    "trial": ("Trial", "TrialState"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "NORMALISATIONS",
    "Activation",
    "Aggregator",
    "Analysis",
    "AnalysisTable",
    "Architecture",
    "AskedTrial",
    "AutomlError",
    "BaseOptions",
    "Batch",
    "Bench",
    "BnMode",
    "Candidate",
    "Cascade",
    "Catalogue",
    "CatalogueEntry",
    "CataloguePage",
    "Categorical",
    "Chooser",
    "Column",
    "Comparison",
    "ComparisonReport",
    "Component",
    "ComponentSpec",
    "Condition",
    "ConfigurationError",
    "Context",
    "CorrelationReport",
    "Criterion",
    "DataError",
    "DataFile",
    "DataSource",
    "Decision",
    "Direction",
    "EditCosts",
    "EditPath",
    "EnumeratingChooser",
    "Evaluator",
    "EvaluatorOptions",
    "Executor",
    "Explanation",
    "Exportable",
    "Exported",
    "Exporter",
    "Findings",
    "GivenArchitectures",
    "Goal",
    "GraphSpace",
    "Guess",
    "HasAuxiliaryOutputs",
    "Index",
    "InputKind",
    "Integer",
    "InvalidArchitecture",
    "Job",
    "Loading",
    "Measured",
    "Metric",
    "ModelError",
    "ModelRecord",
    "Need",
    "NotInTable",
    "Objective",
    "Observer",
    "OnReport",
    "Outcome",
    "Plot",
    "PluginError",
    "Problem",
    "ProblemKind",
    "Progress",
    "Proposal",
    "Proxy",
    "Pruned",
    "RandomChooser",
    "Reading",
    "Real",
    "Recipe",
    "Recognised",
    "RecordingChooser",
    "Register",
    "ReplayChooser",
    "ReportProgress",
    "Retrained",
    "Score",
    "SearchSpace",
    "Selectable",
    "ShapedTask",
    "Slots",
    "Split",
    "SplitName",
    "StoreError",
    "Strategy",
    "Study",
    "StudyDefinition",
    "Subset",
    "Supernet",
    "Table",
    "TableEvaluator",
    "Task",
    "TaskError",
    "TaskKind",
    "TensorSplit",
    "TestSplitSealed",
    "Tracker",
    "TrainedEnsemble",
    "TrainedModel",
    "Trainer",
    "Trial",
    "TrialRecord",
    "TrialState",
    "Unmeasurable",
    "UsageError",
    "Value",
    "WatchedActivations",
    "__version__",
    "canonical_key",
    "check_real",
    "chosen_network",
    "compare",
    "component",
    "correlate",
    "correlation_figures",
    "correlation_files",
    "correlation_report",
    "data_folder",
    "derive_rng",
    "derive_seed",
    "digest_of",
    "dominates",
    "draw",
    "draw_crossover",
    "edit_distance",
    "export",
    "find_data",
    "given_architectures",
    "hookimpl",
    "is_innermost",
    "is_weighted_layer",
    "isolated",
    "load_comparison",
    "load_study",
    "load_table",
    "logits_of",
    "make_component",
    "measure",
    "merged",
    "models_folder",
    "open_study",
    "pareto_front",
    "plain_autograd",
    "private_copy",
    "random_topological_order",
    "recognise",
    "register_activation",
    "resume",
    "retrain",
    "sample_jointly",
    "search",
    "selectables",
    "set_mode",
    "study_file",
    "threads_fixed",
    "trainable",
    "trained_models",
    "training_outputs",
    "weighted_layers",
    "write_files",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'automl' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"automl.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
