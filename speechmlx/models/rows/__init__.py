"""The rows of the catalog, by what the models do. No other files contain names of models.

The package index is the first source where it has a model: digests pin every byte of it, and the tests run with those
files. No hub source was tried. The index has 8-bit weights of Kokoro (recognition reads its speech back, see
tests/engines) and 4-bit weights of SmolLM2. A hub `revision` of "main" means that the commit was not known when the
row was written.
"""
