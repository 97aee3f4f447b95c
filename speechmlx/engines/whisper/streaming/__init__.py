"""Live listening: the audio buffer of a stream, passes over it, committed words, and the batch of all streams."""
