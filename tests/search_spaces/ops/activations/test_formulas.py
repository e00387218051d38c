"""Every function against a formula in NumPy, and against PyTorch and torch-activation where they have it."""

import math

import numpy as np
import pytest
import torch
from scipy.special import erf
from torch.nn import functional

from automl_spaces.ops.activations.registry import ENTRIES, make

X = np.linspace(-5, 5, 2001)
x, r, n = X, np.maximum(X, 0), np.minimum(X, 0)
E = np.exp(x)
S = 1 / (1 + np.exp(-x))
SP = np.log1p(E)
PHI = (1 + erf(x / math.sqrt(2))) / 2
POS = x >= 0


def sinc(t):
    return np.where(t == 0, 1.0, np.sin(t) / np.where(t == 0, 1.0, t))


def either(above, below):
    return np.where(POS, above, below)


FORMULAS = {
    "squared_relu": r**2,
    "star_relu": 0.8944 * r**2 - 0.4472,
    "sign_relu": either(x, x / (1 + abs(x))),
    "nlrelu": np.log(1 + r),
    "trec": np.where(x > 1, x, 0),
    "threshold": np.where(x > 0.5, x, 0),
    "brelu": np.clip(x, 0, 1),
    "relun": np.minimum(r, 1),
    "flattened_t_swish": r * S - 0.2,
    "disrelu": np.maximum(x, -1),
    "vlu": r + np.sin(x),
    "sine_relu": either(x, 0.01 * (np.sin(x) - np.cos(x))),
    "abslu": either(x, 0.5 * abs(x)),
    "abs": abs(x),
    "rrelu": either(x, x * 11 / 48),
    "isrlu": either(x, x / np.sqrt(1 + x**2)),
    "sqlu": np.where(x > 0, x, np.where(x >= -2, x + x**2 / 4, -1)),
    "polylu": either(x, 1 / (1 - n) - 1),
    "pflu": x * (1 + x / np.sqrt(1 + x**2)) / 2,
    "fpflu": either(x, x + x**2 / np.sqrt(1 + x**2)),
    "tanhlu_neg": either(x, np.tanh(x / 2)),
    "slu": either(x, 2 * SP - 2 * math.log(2)),
    "elish": either(x * S, (E - 1) * S),
    "hard_elish": either(x, E - 1) * np.clip((x + 1) / 2, 0, 1),
    "quick_gelu": x / (1 + np.exp(-1.702 * x)),
    "mish": x * np.tanh(SP),
    "hard_mish": x / 2 * np.clip(x + 2, 0, 2),
    "tanh_exp": x * np.tanh(E),
    "serf": x * erf(SP),
    "logish": x * np.log(1 + S),
    "smish": x * np.tanh(np.log(1 + S)),
    "phish": x * np.tanh(x * PHI),
    "gish": x * np.log(2 - np.exp(-E)),
    "suish": np.maximum(x, x * np.exp(-abs(x))),
    "log_logish": x * (1 - np.exp(-E)),
    "exp_expish": x * np.exp(-np.exp(-x)),
    "sin_sig": x * np.sin(np.pi / 2 * S),
    "eanaf": x * E / (E + 2),
    "swat": x / (1 + np.exp(-np.arctan(x))),
    "self_arctan": x * np.arctan(x),
    "calu": x * (0.5 + np.arctan(x) / np.pi),
    "lalu": x * either(1 - np.exp(-abs(x)) / 2, np.exp(-abs(x)) / 2),
    "colu": x / (1 - x * np.exp(-(x + E))),
    "ts_relu": x * np.tanh(S),
    "tbs_relu": x * np.tanh(np.tanh(x / 2)),
    "lisht": x * np.tanh(x),
    "dsilu": S * (1 + x * (1 - S)),
    "rehsec": x / np.cosh(x),
    "srs": x / (x / 2 + np.exp(-x / 3)),
    "gcu": x * np.cos(x),
    "arctan": np.arctan(x),
    "isru": x / np.sqrt(1 + x**2),
    "elliott": 0.5 * x / (1 + abs(x)) + 0.5,
    "sqnl": np.where(abs(x) > 2, np.sign(x), x - np.sign(x) * x**2 / 4),
    "scaled_tanh": 1.7159 * np.tanh(2 * x / 3),
    "c_log_log": 1 - np.exp(-E),
    "log_log": np.exp(-np.exp(-x)),
    "hexpo": either(-(np.exp(-x) - 1), E - 1),
    "bent_identity": x + (np.sqrt(x**2 + 1) - 1) / 2,
    "square_plus": (x + np.sqrt(x**2 + 4)) / 2,
    "symexp": np.sign(x) * (np.exp(abs(x)) - 1),
    "symlog": np.sign(x) * np.log(1 + abs(x)),
    "sine": np.sin(x),
    "cosine": np.cos(x),
    "sinc": sinc(x),
    "cosid": np.cos(x) - x,
    "minsin": np.minimum(x, np.sin(x)),
    "gaussian": np.exp(-(x**2)),
    "mexican_hat": (1 - x**2) * np.exp(-(x**2) / 2),
    "squ": x**2 + x,
    "ncu": x - x**3,
    "dsu": np.pi / 2 * (sinc(x - np.pi) - sinc(x + np.pi)),
    "frelu": r,
    "dprelu": either(x, 0.01 * x),
    "pilu": np.where(x > 1, x, 0.01 * x + 0.99),
    "srelu": np.where(x > 1, 1 + 0.2 * (x - 1), np.where(x < -1, -1 + 0.2 * (x + 1), x)),
    "pelu": either(x, E - 1),
    "mpelu": either(x, E - 1),
    "pdelu": either(x, np.maximum(1 + 0.1 * x, 0) ** 10 - 1),
    "felu": either(x, 2 ** (x / math.log(2)) - 1),
    "preu": either(x, x * E),
    "erf_relu": either(x, 0.5 * erf(x)),
    "e_swish": 1.5 * x * S,
    "swish": x * S,
    "psgu": x * np.tanh(3 * S),
    "sinlu": (x + np.sin(x)) * S,
    "coslu": (x + np.cos(x)) * S,
    "snake": x + np.sin(x) ** 2,
    "acon_c": x * S,
    "smu": (1.25 * x + 0.75 * x * erf(0.75 * x)) / 2,
    "tanh_soft": np.tanh(0.87 * x + 0.6 * E) * np.log(1 + E),
    "eis": x * SP / (np.sqrt(1 + x**2) + np.exp(-x)),
    "soft_exponential": (np.exp(0.25 * x) - 1) / 0.25 + 0.25,
    "arelu": either((1 + 1 / (1 + math.exp(-2))) * x, 0.9 * x),
    "blu": 0.5 * (np.sqrt(x**2 + 1) - 1) + x,
    "telu_elu": x * np.tanh(either(x, E - 1)),
    "prob_act": r,
    "apl": r + 0.1 * np.maximum(-x, 0) + 0.05 * np.maximum(-x - 1, 0),
    "slaf": 0.5 * x + 0.25 * x**2,
    "splash": r,
    "abu": (x + r + x * S + np.tanh(x) + np.sin(x)) / 5,
    "hermite": 0.3989422804
    + 0.5 * x
    + 0.2820947918 * (x**2 - 1) / math.sqrt(2)
    - (x**4 - 6 * x**2 + 3) / math.sqrt(24) / math.sqrt(48 * math.pi),
    "tmaf": r,
    "reltanh": np.where(
        x > 0.5,
        np.tanh(0.5) + (1 - np.tanh(0.5) ** 2) * (x - 0.5),
        np.where(x < -1.5, np.tanh(-1.5) + (1 - np.tanh(1.5) ** 2) * (x + 1.5), np.tanh(x)),
    ),
}
TORCH = {
    "relu": torch.relu,
    "relu6": functional.relu6,
    "leaky_relu": functional.leaky_relu,
    "hardtanh": functional.hardtanh,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "softshrink": functional.softshrink,
    "hardshrink": functional.hardshrink,
    "elu": functional.elu,
    "selu": functional.selu,
    "celu": functional.celu,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "mish": functional.mish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "log_sigmoid": functional.logsigmoid,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "tanhshrink": functional.tanhshrink,
    "prelu": lambda x: functional.leaky_relu(x, 0.25),
    "glu": lambda x: functional.glu(x, dim=1),
}
LIBRARY = {
    "squared_relu": "SquaredReLU", "star_relu": "StarReLU", "sign_relu": "SignReLU", "nlrelu": "NLReLU",
    "flattened_t_swish": "FlattedTSwish", "vlu": "VLU", "isrlu": "ISRLU", "sqlu": "SQLU",
    "pflu": "PowerFunctionLinearUnit", "fpflu": "FasterPowerFunctionLinearUnit", "slu": "SLU", "tanh_exp": "TanhExp",
    "serf": "Serf", "logish": "Logish", "smish": "Smish", "phish": "Phish", "gish": "Gish", "suish": "Suish",
    "log_logish": "LogLogish", "exp_expish": "ExpExpish", "sin_sig": "SinSig", "eanaf": "EANAF", "swat": "SwAT",
    "self_arctan": "SelfArctan", "calu": "CaLU", "lalu": "LaLU", "colu": "CoLU", "ts_relu": "TSReLU",
    "tbs_relu": "TBSReLU", "lisht": "LiSHT", "dsilu": "dSiLU", "rehsec": "ReHSec", "srs": "SRS", "gcu": "GCU",
    "arctan": "Arctan", "isru": "ISRU", "elliott": "Elliott", "sqnl": "SQNL", "log_log": "LogLog",
    "bent_identity": "BentIdentity", "symexp": "Symexp", "cosid": "Cosid", "minsin": "Minsin", "squ": "SQU",
    "ncu": "NCU", "mpelu": "MPELU", "erf_relu": "ErfReLU", "sinlu": "SinLU",
}  # fmt: skip
DEFAULTS_DIFFER = {"erf_relu": {"a": 1.0}}
OTHERWISE = {"kaf", "pwlu", "tmaf_tridiagonal", "pau_a", "pau_b", "pau_c", "pau_d"}
"""Tested against independent computations in test_registry.py, but for `kaf`, below."""


def values(name, **given):
    inputs = torch.as_tensor(X)[:, None]
    return make(name, **given).double().eval()(inputs).detach().numpy()[:, 0]


def test_every_function_of_one_channel_is_compared():
    same = {name for name, one in ENTRIES.items() if one.keeps_shape}
    assert same == (set(FORMULAS) | set(TORCH) | OTHERWISE) & same
    assert set(FORMULAS) | set(LIBRARY) <= same


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_a_function_is_its_formula(name):
    np.testing.assert_allclose(values(name), FORMULAS[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(TORCH))
def test_a_function_is_that_of_torch(name):
    inputs = torch.as_tensor(X)[:, None].repeat(1, 2)
    torch.testing.assert_close(make(name).double()(inputs), TORCH[name](inputs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_a_function_is_that_of_an_independent_library(name):
    library = pytest.importorskip("torch_activation", reason="the optional test extra torch-activation")
    theirs = getattr(library, LIBRARY[name])().double()(torch.as_tensor(X)[:, None]).detach().numpy()[:, 0]
    np.testing.assert_allclose(values(name, **DEFAULTS_DIFFER.get(name, {})), theirs, rtol=1e-6, atol=1e-6)


def test_kernels_are_a_sum_over_a_dictionary():
    module = make("kaf").double()
    weights = [float(one.detach()) for one in module.parameters()]
    centres = np.linspace(-3, 3, len(weights))
    width = 1 / (6 * (centres[1] - centres[0]) ** 2)
    expected = sum(w * np.exp(-width * (X - c) ** 2) for w, c in zip(weights, centres, strict=True))
    np.testing.assert_allclose(values("kaf"), expected, atol=1e-9)


def test_functions_of_several_channels():
    inputs = torch.randn(5, 8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    array = inputs.numpy()
    a, b = array[:, :4], array[:, 4:]
    expected = {
        "reglu": a * np.maximum(b, 0),
        "geglu": a * b * (1 + erf(b / math.sqrt(2))) / 2,
        "swiglu": a * b / (1 + np.exp(-b)),
        "bilinear": a * b,
        "maxout": np.maximum(array[:, ::2], array[:, 1::2]),
        "crelu": np.concatenate((np.maximum(array, 0), np.maximum(-array, 0)), axis=1),
        "oplu": np.sort(array.reshape(5, 4, 2, 3), axis=2).reshape(array.shape),
        "group_sort": np.sort(array.reshape(5, 2, 4, 3), axis=2).reshape(array.shape),
    }
    for name, want in expected.items():
        np.testing.assert_allclose(make(name)(inputs).numpy(), want, atol=1e-12)
