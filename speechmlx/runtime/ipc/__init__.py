"""What crosses the pipe between the server and the engine process: messages, and their framing as bytes."""
