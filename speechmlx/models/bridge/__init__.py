"""Models of mlx-audio's families that no row of the catalog names: what they are, and which the owner has admitted."""
