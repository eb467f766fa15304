"""What `flyte doctor` looks at: this machine, the way to the platform, and the platform's parts."""
