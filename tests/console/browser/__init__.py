"""The console in a real browser. A package, so that platform and browser last as long as its tests and no longer."""
