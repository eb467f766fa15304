"""What the SDK says to the platform, as messages: task versions, images and errors."""
