"""The catalog of models, where their weights come from, and the cache they are kept in. No mlx here."""
