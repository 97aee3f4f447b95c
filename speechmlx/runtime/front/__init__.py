"""The server process's side: jobs, the engine process's supervisor, weights on disk, metrics."""
