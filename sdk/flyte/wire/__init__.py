"""What the SDK says to the platform, as messages: task versions, errors, and frames on a stream."""
