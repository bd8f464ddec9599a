"""How SynthFaces are drawn: traits, then a sketch of head, features, hair and accessories."""
