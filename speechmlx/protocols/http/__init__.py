"""HTTP that the protocols share: bodies in, responses out, and what happens when a client leaves or a job fails."""
