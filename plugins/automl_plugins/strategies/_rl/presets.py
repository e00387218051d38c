"""Published settings of the controller, by name.

Marked to decide in what is published, and decided here: the baseline's decay of the two presets of [1] (0.95, as in
NASNet), samples per step of ``zoph_cnn`` (8, the children of one replica) and of ``nasnet_ppo`` (20).

[1] Zoph and Le. Neural architecture search with reinforcement learning. 2017.
[2] Pham et al. Efficient neural architecture search via parameter sharing. 2018.
[3] Zoph et al. Learning transferable architectures for scalable image recognition. 2018.
[4] Dong and Yang. NAS-Bench-201. 2020. [5] Ying et al. NAS-Bench-101. 2019. (Their REINFORCE baselines.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

PolicyName: TypeAlias = Literal["factored", "lstm", "lstm_attention"]
Algorithm: TypeAlias = Literal["reinforce", "ppo"]
OptimiserName: TypeAlias = Literal["adam", "ascent"]
PresetName: TypeAlias = Literal[
    "tabular_nas_bench_201",
    "tabular_nas_bench_101",
    "zoph_cnn",
    "zoph_rnn",
    "enas_macro",
    "enas_micro",
    "enas_ptb",
    "enas_nas_bench_201",
    "nasnet_ppo",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a preset decides; the fields are documented where they are options of the strategy."""

    policy: PolicyName = "factored"
    algorithm: Algorithm = "reinforce"
    optimiser: OptimiserName = "adam"
    learning_rate: float = 1e-2
    adam_betas: tuple[float, float] = (0.9, 0.999)
    adam_epsilon: float = 1e-8
    baseline_decay: float = 0.9
    entropy_weight: float = 0.0
    samples_per_step: int = 1
    accumulate: int = 1
    layers: int = 1
    units: int = 64
    initial_range: float = 0.1
    initial_logits: float = 1e-3
    tanh_constant: float = 0.0
    temperature: float = 0.0
    categorical_reduction: float = 1.0
    subset_gain: float = 1.0
    subset_penalty: float = 0.0
    subset_rate: float = 0.4
    index_prior: float = 0.0


PRESETS: Mapping[PresetName, Settings] = {
    "tabular_nas_bench_201": Settings(),
    "tabular_nas_bench_101": Settings(optimiser="ascent", learning_rate=0.1, initial_logits=0.0),
    "zoph_cnn": Settings(
        policy="lstm",
        layers=2,
        units=35,
        initial_range=0.08,
        baseline_decay=0.95,
        learning_rate=6e-4,
        samples_per_step=8,
    ),
    "zoph_rnn": Settings(
        policy="lstm",
        layers=2,
        units=35,
        initial_range=0.08,
        baseline_decay=0.95,
        learning_rate=5e-4,
        accumulate=10,
    ),
    "enas_macro": Settings(
        policy="lstm_attention",
        learning_rate=1e-3,
        baseline_decay=0.99,
        entropy_weight=1e-4,
        samples_per_step=20,
        tanh_constant=1.5,
        subset_gain=2.0,
        subset_penalty=0.8,
    ),
    "enas_micro": Settings(
        policy="lstm_attention",
        learning_rate=3.5e-3,
        baseline_decay=0.99,
        entropy_weight=1e-4,
        samples_per_step=10,
        tanh_constant=1.1,
        categorical_reduction=2.5,
    ),
    "enas_ptb": Settings(
        policy="lstm_attention",
        units=100,
        learning_rate=1e-3,
        baseline_decay=0.99,
        entropy_weight=1e-3,
        samples_per_step=10,
        tanh_constant=2.5,
        temperature=5.0,
        index_prior=1 / 6,
    ),
    "enas_nas_bench_201": Settings(
        policy="lstm",
        layers=2,
        units=32,
        learning_rate=1e-3,
        adam_betas=(0.0, 0.999),
        adam_epsilon=1e-3,
        baseline_decay=0.99,
        entropy_weight=1e-4,
        samples_per_step=20,
        tanh_constant=2.5,
        temperature=5.0,
    ),
    "nasnet_ppo": Settings(
        policy="lstm",
        algorithm="ppo",
        units=100,
        learning_rate=3.5e-4,
        baseline_decay=0.95,
        entropy_weight=1e-5,
        samples_per_step=20,
    ),
}

PRESET_OF: Mapping[PolicyName, PresetName] = {
    "factored": "tabular_nas_bench_201",
    "lstm": "zoph_cnn",
    "lstm_attention": "enas_micro",
}
"""The preset of each policy when none is named: rates for independent logits make a recurrent policy collapse."""
