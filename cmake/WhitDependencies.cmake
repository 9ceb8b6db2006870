# Where the given dependencies are: flatbuffers (headers and compiler), pthreadpool, optional XNNPACK and libsodium.

# whit_system_library(target INCLUDE LIBRARY NAME): what was found on this system. Users of an installed whit link it and include
# none of it. Where whit is built for another machine, they find it by its name there: this path exists here alone.
function(whit_system_library target include library name)
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE $<BUILD_INTERFACE:${include}>)
  if(CMAKE_CROSSCOMPILING)
    target_link_libraries(${target} INTERFACE $<BUILD_INTERFACE:${library}> $<INSTALL_INTERFACE:${name}>)
  else()
    target_link_libraries(${target} INTERFACE ${library})
  endif()
endfunction()

# Debian 12 and 13 spell the package differently.
find_package(FlatBuffers NAMES FlatBuffers flatbuffers Flatbuffers CONFIG QUIET)
find_path(WHIT_FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
find_program(WHIT_FLATC flatc REQUIRED)
find_package(Threads REQUIRED)

# whit_dependency(VARIABLE TARGET HEADER LIBRARY): the target to link. If the embedding project already has TARGET, it is used; else
# the system's header and library, as whit_<lower-case target>.
function(whit_dependency variable parent header library)
  if(TARGET ${parent})
    set(${variable} ${parent} PARENT_SCOPE)
    return()
  endif()
  find_path(${variable}_INCLUDE ${header} REQUIRED)
  find_library(${variable}_LIBRARY ${library} REQUIRED)
  string(TOLOWER whit_${parent} target)
  whit_system_library(${target} ${${variable}_INCLUDE} ${${variable}_LIBRARY} ${library})
  set(${variable} ${target} PARENT_SCOPE)
endfunction()

whit_dependency(WHIT_PTHREADPOOL pthreadpool pthreadpool.h pthreadpool)
if(TARGET whit_pthreadpool)
  target_link_libraries(whit_pthreadpool INTERFACE Threads::Threads)
endif()
if(WHIT_XNNPACK)
  whit_dependency(WHIT_XNNPACK_TARGET XNNPACK xnnpack.h XNNPACK)
  if(TARGET whit_xnnpack)
    target_link_libraries(whit_xnnpack INTERFACE ${WHIT_PTHREADPOOL})
  endif()
endif()
if(WHIT_SODIUM)
  whit_dependency(WHIT_SODIUM_TARGET sodium sodium.h sodium)
endif()

# whit_flatbuffers(out_headers DIR file.fbs ...): generates C++ headers into the build tree under DIR.
function(whit_flatbuffers out dir)
  set(headers)
  foreach(fbs ${ARGN})
    get_filename_component(name ${fbs} NAME_WE)
    set(header ${PROJECT_BINARY_DIR}/generated/${dir}/${name}_generated.h)
    add_custom_command(OUTPUT ${header}
      COMMAND ${WHIT_FLATC} --cpp --scoped-enums --gen-object-api -o ${PROJECT_BINARY_DIR}/generated/${dir}
              ${CMAKE_CURRENT_SOURCE_DIR}/${fbs}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${fbs} VERBATIM)
    list(APPEND headers ${header})
  endforeach()
  set(${out} ${headers} PARENT_SCOPE)
endfunction()
