"""What zero-cost proxies cost, in forward and backward passes of the same network on the same batch.

    python benchmarks/proxies.py [--quick]

One process, one thread, the network of NAS-Bench-201 (16 channels, 5 cells per stage, five 3x3 convolutions and one
skip per cell), 32 and 64 images of 3x32x32. Times are processor seconds; ratios are of times that are taken in turns,
so that the load of the machine disturbs them little, and the median of several (of the ten proxies, of the fastest).
It takes three minutes; the last line is one JSON object.

* ``proxies``: the neural tangent kernel with fixed statistics of batch normalisation, its condition number and norm,
  and its alignment with labels.
* ``te_nas_loop``: the kernel as in the code of TE-NAS, a backward pass for each example through the whole batch in
  training mode. Beside ``proxies``, two of the backward passes are timed and multiplied; elsewhere all of them.
* ``batch``: the same kernel from us. ``numerator``: its product with the kernel of the labels, without the kernel.
* ``full``: the kernel of all pairs of outputs.
* ``suite``: ten proxies that share their passes; ``apart``: the sum of each by itself.
* ``naswot_direct``, ``swap_direct``: the formulas as they are written, over ours on the same activations.
* ``memory``: the growth of the resident size of a fresh process over its size after a warm-up on two images.

``--quick`` leaves out the full kernel and the 64 images of ``proxies``.
"""

from __future__ import annotations

import argparse

from _proxies_common import growth  # First: it sets the number of threads before PyTorch is imported.

# isort: split
import _proxies_kernel
import _proxies_patterns
import torch
from _outcome import report


def main(*, is_quick: bool) -> None:
    figures = _proxies_kernel.kernel_figures(is_quick=is_quick) | _proxies_patterns.pattern_figures()
    targets = _proxies_kernel.TARGETS | _proxies_patterns.TARGETS
    report("proxies", figures, {name: bound for name, bound in targets.items() if name in figures})


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", nargs=2, metavar=("WORK", "EXAMPLES"))
    chosen = parser.parse_args()
    if chosen.memory:
        print(growth(_proxies_kernel.WORK[chosen.memory[0]], int(chosen.memory[1])))
    else:
        main(is_quick=chosen.quick)
