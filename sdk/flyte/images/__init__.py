"""Building container images on this machine: an `Image` becomes a Containerfile, which docker or buildah builds.

`recipe` decides what the file says, without touching anything; `context` lays the folder out that the build sees;
`builders` know the command lines of the tools; `engine` runs them.
"""
