"""Every way of calling each of the SDKs that are generated as openai is: live, recorded and replayed are equal."""
