"""The score of AZ-NAS [1]: the logarithms of ranks in its four metrics, added up.

[1] Lee and Ham. AZ-NAS: Assembling zero-cost proxies for network architecture search. CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from automl import ConfigurationError, Direction
from automl_plugins.aggregators.log_rank import LogRank


class AzNas(LogRank):
    """`LogRank` of the metrics of the proxy ``az_nas``; other columns are left out.

    >>> AzNas.columns[0]
    'az_expressivity'
    """

    columns: ClassVar[tuple[str, ...]] = ("az_expressivity", "az_progressivity", "az_trainability", "az_complexity")

    def combine(
        self, columns: Mapping[str, NDArray[np.float64]], directions: Mapping[str, Direction]
    ) -> NDArray[np.float64]:
        """Return the sums, at most 0.

        Raises:
            ConfigurationError: a metric of the proxy ``az_nas`` is missing.
        """
        missing = [name for name in self.columns if name not in columns]
        if missing:
            raise ConfigurationError(f"az_nas needs {', '.join(missing)} too; measure the proxy az_nas")
        return super().combine({name: columns[name] for name in self.columns}, directions)
