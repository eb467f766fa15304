"""The console as a server. A package, so that its platform lasts as long as its tests and no longer."""
