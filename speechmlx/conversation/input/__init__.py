"""The input half of a session: bytes to samples, voice activity to turns (endpointing), turns to transcripts."""
