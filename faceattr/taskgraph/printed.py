"""Line 7 of Algorithm 3 as printed, and why it cannot learn a graph.

    A <- argmin Tr(W A W^T)   s.t.  A >= I,  A_off <= 0,  A 1 = 1

*Proof that its answer is the empty graph.* ``A 1 = 1`` and ``A_off <= 0`` say that ``A - I`` has
rows that sum to 0 and nothing positive off its diagonal: it is the Laplacian L of the weights
``m_ij = -a_ij >= 0``, every Laplacian is positive semi-definite, and ``A >= I`` holds by itself.
So ``Tr(W A W^T) = |W|^2 + sum_(i<j) m_ij |w_i - w_j|^2`` with nothing that asks for edges: each one
costs something (or nothing, between equal tasks), and all of them 0, ``A = I``, costs least.

With ``A = I`` the penalty of Eq. 14 is ``xi |W|^2``: Algorithm 3 as printed is Eq. 1, tasks learned
one by one. The text says more than the line ("a Semi-Definite program", an epsilon that is "fixed"
and lets the graph term dominate), and its source (Argyriou, Clemencon and Zhang, 2013) may carry a
constraint or a term that the line leaves out. With ``epsilon I`` in place of the I of Eq. 12 and of
the constraints, the same two lines give ``A = epsilon I``. The other steps here each add such a
term.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faceattr.taskgraph.common import TaskGraph, as_graph, check_weights, regulariser


def printed_step(weights: Tensor) -> TaskGraph:
    """The minimum of line 7 as printed: the empty graph, ``A = I``, whatever the weights.

    Args:
        weights: ``W (..., d, M)``.

    Returns:
        The graph without edges; its objective is ``|W|^2``.

    Raises:
        DataError: weights that are no tasks, or not finite.
    """
    tasks = check_weights(weights)
    *lead, _, count = tasks.shape
    empty = tasks.new_zeros(*lead, count, count)  # (..., M, M)
    eye = torch.eye(count, dtype=tasks.dtype, device=tasks.device)
    objective = regulariser(tasks, eye)
    return as_graph(empty, objective, torch.zeros_like(objective), 0, weights)
