"""How fast Brama is, with the floor beside it: what the bare library calls for the same messages cost in the same run."""
