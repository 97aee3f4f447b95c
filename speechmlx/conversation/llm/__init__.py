"""The language model as a conversation asks it: the context it is given, and a remote chat endpoint in its place."""
