"""Empirical neural tangent kernels of any network: exact, by the quickest of three methods."""

from automl_plugins.evaluators._ntk.engine import empirical_ntk as empirical_ntk
from automl_plugins.evaluators._ntk.kernel import BnMode as BnMode
from automl_plugins.evaluators._ntk.kernel import Kernel as Kernel
from automl_plugins.evaluators._ntk.kernel import Method as Method
from automl_plugins.evaluators._ntk.kernel import Parameters as Parameters
from automl_plugins.evaluators._ntk.kernel import Reduction as Reduction
from automl_plugins.evaluators._ntk.statistics import Spectrum as Spectrum
from automl_plugins.evaluators._ntk.statistics import frobenius as frobenius
from automl_plugins.evaluators._ntk.statistics import kernel_distance as kernel_distance
from automl_plugins.evaluators._ntk.statistics import kernel_mean as kernel_mean
from automl_plugins.evaluators._ntk.statistics import kernel_trace as kernel_trace
