"""The engine process: one thread that owns MLX, schedules steps, and loads and frees models."""
