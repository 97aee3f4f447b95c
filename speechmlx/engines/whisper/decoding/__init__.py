"""From encoded audio to tokens: key-value caches, prefill, language detection, sampling, greedy and beam search."""
