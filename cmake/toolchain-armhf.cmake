# 32-bit ARM Linux with NEON: Raspberry Pi 2 and later under a 32-bit system (Debian armhf; not the armv6 of the first Pi and
# the Zero).
#   cmake -DCMAKE_TOOLCHAIN_FILE=cmake/toolchain-armhf.cmake -DWHIT_SYSROOT=build/sysroot-armhf
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(whit_triple arm-linux-gnueabihf)
set(whit_emulator qemu-arm-static)
# Said of everything that passes 64-bit values: an ABI that gcc had before version 7.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)
include(${CMAKE_CURRENT_LIST_DIR}/cross_debian.cmake)
