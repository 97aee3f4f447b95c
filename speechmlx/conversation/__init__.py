"""A live conversation, whatever the wire: audio and commands in, transcripts and answers out.

`session.py` is the entry. `input/` turns audio into transcribed turns, `items/` keeps the history, `response/` makes
answers, `llm/` asks the language model. Nothing here knows a wire or MLX.
"""
