"""faceattr: four papers on recognising the 40 attributes of a face, as one small library."""

from faceattr.attributes import ATTRIBUTES, GROUPS, attribute, group_of, index, indices, pretty

__version__ = "0.1.0"

__all__ = [
    "ATTRIBUTES",
    "GROUPS",
    "__version__",
    "attribute",
    "group_of",
    "index",
    "indices",
    "pretty",
]
