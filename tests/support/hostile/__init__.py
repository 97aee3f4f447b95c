"""Generators of hostile inputs, a module for each way into the server. An input depends on its random.Random alone."""
