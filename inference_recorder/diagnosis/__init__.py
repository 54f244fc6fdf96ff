"""What a folder of recordings says about a request that it does not answer."""
