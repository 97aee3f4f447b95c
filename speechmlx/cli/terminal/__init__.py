"""What the verbs that hear, speak and converse share: engines here or on a server, files, progress, sound, exits."""
