"""The language model of a conversation: the messages that it gets, the request, and the client of a remote one."""
