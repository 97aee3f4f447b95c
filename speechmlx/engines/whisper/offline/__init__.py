"""Whole recordings: windows and their stages, the batch that works on them, attempts, segments and word times."""
