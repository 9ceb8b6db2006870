# What the toolchain files share: Debian's cross compiler `whit_triple`-g++, and WHIT_SYSROOT. Programs built with it run under
# qemu-user here (tests too), as the CPU that WHIT_QEMU_CPU names.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${whit_triple}-gcc)
set(CMAKE_CXX_COMPILER ${whit_triple}-g++)
set(CMAKE_LIBRARY_ARCHITECTURE ${whit_triple})
# The checks that CMake compiles by itself read this file too.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES WHIT_SYSROOT WHIT_QEMU_CPU)
if(NOT DEFINED WHIT_QEMU_CPU)
  set(WHIT_QEMU_CPU max)
endif()
get_filename_component(WHIT_SYSROOT "${WHIT_SYSROOT}" ABSOLUTE)
if(NOT EXISTS ${WHIT_SYSROOT}/usr)
  message(FATAL_ERROR "WHIT_SYSROOT (${WHIT_SYSROOT}) is no folder of unpacked packages: see cmake/sysroot.sh, or use ./run pi")
endif()
# Said of much that is passed by value: what gcc 6 and gcc 9 did.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)
set(CMAKE_FIND_ROOT_PATH ${WHIT_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Libraries that only other shared libraries need: here, and (an old-style RPATH counts for those too) where they are shipped.
set(CMAKE_EXE_LINKER_FLAGS_INIT
    "-Wl,--disable-new-dtags -Wl,-rpath-link,${WHIT_SYSROOT}/usr/lib/${whit_triple}:${WHIT_SYSROOT}/lib/${whit_triple}")
set(CMAKE_CROSSCOMPILING_EMULATOR "${whit_emulator};-cpu;${WHIT_QEMU_CPU};-L;${WHIT_SYSROOT}")
