"""Responses: language model text to clauses, clauses to speech, speech to the client's format, and what was played."""
