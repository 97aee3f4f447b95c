"""Qwen3-TTS: a language model whose words are frames of codes, and the codec that makes sound of them."""
