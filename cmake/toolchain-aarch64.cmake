# 64-bit ARM Linux: Raspberry Pi 3, 4, 5 and Zero 2 under a 64-bit system. Debian's cross compiler, and a folder of unpacked
# arm64 packages (cmake/sysroot.sh) in WHIT_SYSROOT.
#   cmake --preset aarch64
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(whit_triple aarch64-linux-gnu)
set(whit_emulator qemu-aarch64-static)
include(${CMAKE_CURRENT_LIST_DIR}/cross_debian.cmake)
