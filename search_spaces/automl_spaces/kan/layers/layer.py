"""Contract of a layer: what grids, morphisms and the symbolic view need of one, linear or convolution."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl import ConfigurationError
from automl_spaces.kan.layers.basis import Basis
from automl_spaces.kan.layers.initialisation import BASE_SHARE, base_scale, coefficient_scales
from automl_spaces.kan.layers.normalisation import make_after, make_before
from automl_spaces.kan.layers.spec import KanSpec


class KanLayer(nn.Module, ABC):
    """Expands its inputs in a basis, then takes one product: ``y_o = Σ_i Σ_m c_oim b_m(z_i) + Σ_i w_oi base(x_i)``.

    Contract: ``z`` is what ``before`` makes of the inputs. Coefficients are those of ``product``, functions by inputs
    in the order of `Basis`; a subclass says what a product is, and where the axis of the inputs lies.

    Attributes:
        inputs: number of inputs or channels; ``outputs`` alike.
        spec: the decisions.
        taps: products per edge: 1, or the area of the kernel of a convolution.
    """

    basis: Basis
    product: nn.Module
    base: nn.Module | None
    is_image = False

    def __init__(self, inputs: int, outputs: int, spec: KanSpec, taps: int = 1) -> None:
        super().__init__()
        self.inputs, self.outputs, self.spec, self.taps = inputs, outputs, spec, taps
        family = spec.family
        self.before = make_before(spec.before_of(inputs), inputs, is_bounded=family.is_bounded, is_image=self.is_image)
        self.basis = family.edge_basis(inputs, outputs) if family.is_per_edge else family.basis(inputs)
        self.after = make_after(spec.after, outputs, is_image=self.is_image)

    @abstractmethod
    def resized(self, inputs: int, outputs: int, spec: KanSpec) -> KanLayer:
        """Return a new layer of another size and ``spec`` with the same geometry and drawn anew, on the same device."""

    @abstractmethod
    def rows(self, x: Tensor) -> Tensor:
        """Return ``x`` as `(examples, inputs)`; every pixel is an example."""

    def normalised(self, x: Tensor) -> Tensor:
        """Return what the basis sees of a batch, as `(examples, inputs)`."""
        return self.rows(self.before(x))

    def base_values(self, x: Tensor) -> Tensor:
        """Return the base function of ``x``, elementwise."""
        return functional.silu(x) if self.spec.base == "silu" else x

    @property
    def coefficients(self) -> Tensor:
        """Coefficients `(outputs, size, inputs)`, of convolutions with the kernel's axes behind; all factors in."""
        weight = _tensor(self.product, "weight")
        if self.spec.family.is_per_edge:
            raise ConfigurationError(
                f"family {self.spec.family.name} with a basis for each edge has no common coefficients; "
                "use `per_edge = False`"
            )
        shaped = weight.view(self.outputs, self.basis.size, self.inputs, *weight.shape[2:])
        return shaped * _tensor(self.product, "scale").unsqueeze(1) if self.spec.edge_scale else shaped

    @torch.no_grad()
    def set_coefficients(self, coefficients: Tensor) -> None:
        """Take ``coefficients``, in the form of `coefficients`; a factor for each edge becomes 1."""
        weight = _tensor(self.product, "weight")
        weight.copy_(coefficients.flatten(1, 2))
        if self.spec.edge_scale:
            _tensor(self.product, "scale").fill_(1.0)

    @property
    def bias(self) -> Tensor | None:
        """Bias, `(outputs,)`."""
        found = self.product.bias
        return found if isinstance(found, Tensor) else None

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw coefficients and base anew, for unit variance; the shared parameters of the basis stay."""
        spec, fan = self.spec, self.inputs * self.taps
        share = 1.0 if self.base is None else 1.0 - BASE_SHARE
        scales = coefficient_scales(spec.family, spec.before_of(self.inputs), fan, share)
        weight = _tensor(self.product, "weight")
        _draw(weight, generator)
        per_column = scales if spec.family.is_per_edge else scales.repeat_interleave(self.inputs)
        weight.mul_(per_column.to(weight).view(1, -1, *[1] * (weight.ndim - 2)))
        if spec.edge_scale:
            _tensor(self.product, "scale").fill_(1.0)
        if self.bias is not None:
            self.bias.zero_()
        if self.base is not None:
            base = _tensor(self.base, "weight")
            _draw(base, generator)
            base.mul_(base_scale(spec.base, fan, BASE_SHARE))


def _tensor(module: nn.Module, name: str) -> Tensor:
    found = getattr(module, name)
    assert isinstance(found, Tensor)
    return found


def _draw(weight: Tensor, generator: torch.Generator | None) -> None:
    """Fill with standard normal numbers; drawn on the CPU where a generator is given, the same on every device."""
    if generator is None:
        weight.normal_()
    else:
        weight.copy_(torch.randn(weight.shape, generator=generator))
