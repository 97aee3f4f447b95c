"""The Whisper checkpoint: network, weights, tokenizer, spectrogram and alignment heads."""
