"""Higgs Audio 3 in a batch: the package's networks, and a loop in which requests come and go between frames."""
