# 32-bit ARM Linux with NEON: Raspberry Pi 2 and later under a 32-bit system (Debian armhf; not the armv6 of the first Pi and
# the Zero).
#   cmake --preset armhf
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(whit_triple arm-linux-gnueabihf)
set(whit_emulator qemu-arm-static)
include(${CMAKE_CURRENT_LIST_DIR}/cross_debian.cmake)
