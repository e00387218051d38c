"""Registration of the bundled search spaces: one line each."""

from __future__ import annotations

from automl import Register, hookimpl


@hookimpl
def register_spaces(register: Register) -> None:
    """Register the bundled search spaces."""
    register("nas_cell", "automl_spaces.nas_cell:NasCell", summary="Free-form cells after NAS-Bench-101.")
    register("nas_bench_201", "automl_spaces.nas_bench_201:NasBench201", summary="The 15,625 cells of NAS-Bench-201.")
    register("darts", "automl_spaces.darts.space:Darts", summary="Normal and reduction cells of DARTS.")
    register("evonorm", "automl_spaces.evonorm:EvoNorm", summary="Normalisation-activation layers after EvoNorm.")
    register("kan", "automl_spaces.kan.space:Kan", summary="Kolmogorov-Arnold networks with selectable functions.")
    register("mlp", "automl_spaces.mlp:Mlp", summary="Multilayer perceptrons on flattened inputs.")
    register("conv_kan", "automl_spaces.kan.conv_space:ConvKan", summary="Convolutions whose kernels hold functions.")


@hookimpl
def register_catalogues(register: Register) -> None:
    """Register the bundled catalogues."""
    register(
        "activations", "automl_spaces.ops.activations.catalogue:Activations", summary="Activation functions by name."
    )
