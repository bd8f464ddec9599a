"""Graphs of tasks (MTFAP, section 4.2): which attributes should have similar weights?

A task is an attribute's weights, a column of ``W (d, M)``. Line 7 of the paper's Algorithm 3 learns
the graph from them; as printed it cannot (:mod:`.printed`), and four steps of the literature that
have the same form can: :mod:`.logdet`, :mod:`.logdegree`, :mod:`.frobenius`, :mod:`.mtrl`. All of
them are ours in torch, take batches, run on any device, and are tested against cvxpy.
:mod:`.reading` turns what was learned into edges and clusters.
"""

from faceattr.taskgraph.alternating import Tasks, fit_tasks, learn_tasks_and_graph
from faceattr.taskgraph.common import TaskGraph, laplacian, regulariser, task_distances
from faceattr.taskgraph.frobenius import frobenius_step
from faceattr.taskgraph.learning import STEPS, learn_graph
from faceattr.taskgraph.logdegree import log_degree_step
from faceattr.taskgraph.logdet import log_det_step
from faceattr.taskgraph.mtrl import mtrl_step
from faceattr.taskgraph.printed import printed_step
from faceattr.taskgraph.reading import clusters, edge_scores, edges, strongest, to_networkx

__all__ = [
    "STEPS",
    "TaskGraph",
    "Tasks",
    "clusters",
    "edge_scores",
    "edges",
    "fit_tasks",
    "frobenius_step",
    "laplacian",
    "learn_graph",
    "learn_tasks_and_graph",
    "log_degree_step",
    "log_det_step",
    "mtrl_step",
    "printed_step",
    "regulariser",
    "strongest",
    "task_distances",
    "to_networkx",
]
