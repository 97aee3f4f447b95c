"""From encoded audio to tokens: key-value cache, prefill, sampling, greedy and beam search, quality checks."""
