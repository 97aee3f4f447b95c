"""The server process's side: jobs, metrics, the fetches of weights and the supervisor of the engine process."""
