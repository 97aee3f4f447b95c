"""Background jobs: requests that are kept on disk with their recordings, and recognised though servers come and go.

One folder holds a SQLite database and a folder of files for each job. Servers of one machine may share it: each job is
run by the one that holds its lease.
"""
