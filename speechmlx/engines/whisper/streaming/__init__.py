"""Live speech: a growing buffer decoded in a batch of streams, and the policy that commits words."""
