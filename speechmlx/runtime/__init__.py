"""The runtime: `Runtime.submit(request) -> Job` (front.py) is the only door to the engines.

front, job, fetching and supervisor run in the front process; worker, tasks, scheduler and memory in the engine process;
messages and channel are what passes between.
"""
