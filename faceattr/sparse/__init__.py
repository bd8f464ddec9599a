"""Low rank and few entries: Algorithms 1 and 2 of MTFAP, and the solver they are held against.

Known groups (Eq. 3) ask for matrices ``W_g = L_g S_g`` with few directions in ``L_g`` and few
entries in ``S_g``. The paper minimises over L by a stochastic sub-gradient with a probing matrix
(:mod:`.lowrank`, Algorithm 1) and over S by mirror descent with truncation (:mod:`.smidas`,
Algorithm 2). :mod:`.proximal` is the plain alternative: a gradient step, then soft thresholding
of entries or of singular values. :mod:`.groups` alternates either pair on fixed features.
"""

from faceattr.sparse.groups import GroupWeights, fit_groups
from faceattr.sparse.lowrank import (
    Factors,
    factorize,
    fast_ssgd_update,
    nuclear_descent,
    probing_matrix,
)
from faceattr.sparse.proximal import (
    Descent,
    proximal_gradient,
    shrink_singular_values,
    soft_threshold,
)
from faceattr.sparse.smidas import inverse_link, link, smidas, smidas_update

__all__ = [
    "Descent",
    "Factors",
    "GroupWeights",
    "factorize",
    "fast_ssgd_update",
    "fit_groups",
    "inverse_link",
    "link",
    "nuclear_descent",
    "probing_matrix",
    "proximal_gradient",
    "shrink_singular_values",
    "smidas",
    "smidas_update",
    "soft_threshold",
]
