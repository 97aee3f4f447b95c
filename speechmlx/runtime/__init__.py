"""The runtime: `Runtime.submit(request) -> Job` is the only door to the engines."""
