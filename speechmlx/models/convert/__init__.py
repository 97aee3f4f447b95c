"""Conversions of fetched model files to the layout that the engines load: functions (files, folder), in numpy."""
