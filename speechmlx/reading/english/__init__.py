"""English text to the words that a person says."""
