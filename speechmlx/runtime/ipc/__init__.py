"""The pipe between the server process and the engine process: its messages and their framing as bytes."""
