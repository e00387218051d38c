"""The convolution: channels are expanded, then an ordinary convolution takes the place of the product.

Drokin. Kolmogorov-Arnold convolutions: design principles and empirical studies. arXiv 2407.01092.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from automl import ConfigurationError
from automl_spaces.kan.layers.cost import layer_cost
from automl_spaces.kan.layers.layer import KanLayer
from automl_spaces.kan.layers.spec import KanSpec


class KanConv(KanLayer):
    """A convolution whose kernels hold functions, `(batch, inputs, height, width)` to `(batch, outputs, ...)`.

    Beyond the border the expansion is 0, every function of it, as in the public codes; a constant function is 0 there
    too. The expansion lies channels last in memory, which is how it is computed and what convolutions are quick with.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel.
        spec: family, base, normalisation.
        stride: of the convolution.
        padding: pixels at each side; by default half the kernel, which keeps the size at stride 1.
        generator: draws the weights; by default torch's own.

    >>> KanConv(3, 4, 3, KanSpec(base="silu"))(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 4, 8, 8])
    """

    is_image = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        spec: KanSpec | None = None,
        *,
        stride: int = 1,
        padding: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        spec = spec or KanSpec()
        if spec.family.is_per_edge or spec.edge_scale:
            raise ConfigurationError(
                f"a convolution has no {'`edge_scale`' if spec.edge_scale else 'basis for each edge'}; leave it out"
            )
        super().__init__(inputs, outputs, spec, kernel**2)
        self.kernel, self.stride = kernel, stride
        self.padding = kernel // 2 if padding is None else padding
        self.product = self._convolution(inputs * self.basis.size, spec.has_bias)
        self.base = None if spec.base == "none" else self._convolution(inputs, False)
        self.reset_parameters(generator)

    def forward(self, x: Tensor) -> Tensor:
        expanded = self.basis(self.before(x).movedim(1, -1)).flatten(-2)
        summed = self.product(expanded.movedim(-1, 1))
        if self.base is not None:
            summed = summed + self.base(self.base_values(x))
        return self.after(summed)  # type: ignore[no-any-return]

    def resized(self, inputs: int, outputs: int, spec: KanSpec) -> KanConv:
        like = next(self.parameters())
        made = KanConv(inputs, outputs, self.kernel, spec, stride=self.stride, padding=self.padding)
        return made.to(like).train(self.training)

    def rows(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1).flatten(0, -2)

    def count_operations(self, shape: tuple[int, ...]) -> int:
        """Return all arithmetic for images of ``shape``, which evaluators ask for; see `layer_cost`."""
        sizes = pixel_counts(shape, self.kernel, self.stride, self.padding)
        return shape[0] * layer_cost(self.spec, self.inputs, self.outputs, **sizes).flops

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, {self.kernel}, stride={self.stride}, {self.spec.family}"

    def _convolution(self, channels: int, bias: bool) -> nn.Conv2d:
        made: nn.Conv2d = skip_init(  # type: ignore[no-untyped-call]
            nn.Conv2d,
            channels,
            self.outputs,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            bias=bias,
            device=torch.get_default_device(),
        )
        return made


def pixel_counts(shape: tuple[int, ...], kernel: int, stride: int, padding: int) -> dict[str, int]:
    """Return what the cost of a convolution depends on: products per edge, pixels of an image before it and behind.

    Args:
        shape: of the images, `(batch, channels, height, width)`.
        kernel: its side.
        stride: of the convolution.
        padding: pixels at each side.
    """
    _, _, *sides = shape
    made = math.prod((side + 2 * padding - kernel) // stride + 1 for side in sides)
    return {"taps": kernel**2, "pixels_in": math.prod(sides), "pixels": made}
