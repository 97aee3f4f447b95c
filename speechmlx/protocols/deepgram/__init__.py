"""Deepgram's API: live transcription on the WebSockets /v1/listen and /v2/listen."""
