# Read by CPack: whose libraries dpkg-shlibdeps looks for, and whose objdump it asks.
set(ENV{DEB_HOST_ARCH} arm64)
