"""What autoregressive models share: sequences decoded in one batch, caches of prompts, and sampling.

Language models use it, and so can speech synthesis that predicts tokens. It knows no requests and no events.
"""
