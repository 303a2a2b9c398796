"""Where business units drop their files: the protocol `LandingZone`, a folder or Azure Blob Storage, and the queue of its events."""
