"""Audio without models: decoding and encoding of files, resampling, mixing, loudness. Nothing here imports MLX."""
