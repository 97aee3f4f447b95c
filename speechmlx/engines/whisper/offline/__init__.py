"""Whole recordings: windows of a file, segments, word times, and second attempts."""
