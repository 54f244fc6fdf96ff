"""Import of vcrpy cassettes: each call is made again on an SDK client that gets the cassette's answer, and recorded.

Needs the extra `cli`.
"""
