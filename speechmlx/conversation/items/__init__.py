"""The items of a conversation: what was said, called and returned, and how much of an answer its listener heard."""
