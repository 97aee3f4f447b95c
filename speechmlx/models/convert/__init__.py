"""Conversions: each is a function (files, folder) that turns fetched files into what the engine loads. numpy only."""
