"""Markup in the text of language models: reasoning and function calls, parsed into typed events. Pure.

The engine of language models and the client of a remote chat endpoint share these parsers, so that no markup reaches a
conversation.
"""
