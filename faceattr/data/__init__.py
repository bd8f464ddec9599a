"""Data sets that yield :class:`~faceattr.data.faces.Faces`."""
