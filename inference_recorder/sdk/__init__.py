"""Where the SDK's calls are taken: the methods, the clients, and whose session a call belongs to."""
