"""Label-gradient alignment: how much a tangent kernel looks like the kernel of the labels."""

from automl_plugins.evaluators._lga.alignment import Centring as Centring
from automl_plugins.evaluators._lga.alignment import alignment as alignment
from automl_plugins.evaluators._lga.gauge import Aligned as Aligned
from automl_plugins.evaluators._lga.gauge import Gauge as Gauge
from automl_plugins.evaluators._lga.gauge import Route as Route
from automl_plugins.evaluators._lga.label_kernel import TokenTargets as TokenTargets
from automl_plugins.evaluators._lga.label_kernel import label_kernel as label_kernel
from automl_plugins.evaluators._lga.matrix_free import Projected as Projected
from automl_plugins.evaluators._lga.matrix_free import label_basis as label_basis
from automl_plugins.evaluators._lga.matrix_free import matrix_free as matrix_free
from automl_plugins.evaluators._lga.matrix_free import projected as projected
