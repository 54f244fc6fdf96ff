"""The recordings over HTTP, for programs that Python's patches do not reach: a server with the APIs of the models.

It answers requests in the session that is open in its process, under the keys that a client in that process would have.
"""
