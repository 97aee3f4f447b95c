"""Wyoming, the protocol of Home Assistant's voice services: recognition and synthesis on a TCP port of its own.

framing.py reads and writes events, requests.py parses them, recognition.py and synthesis.py answer them, connection.py
holds one client, server.py all of them.
"""
