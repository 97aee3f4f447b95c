"""Helpers of the tests: scripted engines, clients, audio clips and a browser. No tests are here."""
