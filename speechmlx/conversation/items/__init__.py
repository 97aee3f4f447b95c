"""Items of a conversation: messages, calls and outputs in order, and how much of an answer its listener has heard."""
