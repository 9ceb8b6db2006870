# Where the given dependencies are: flatbuffers (headers and compiler), pthreadpool, optional XNNPACK.

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

if(TARGET pthreadpool)
  set(WHIT_PTHREADPOOL pthreadpool)
else()
  find_path(WHIT_PTHREADPOOL_INCLUDE pthreadpool.h REQUIRED)
  find_library(WHIT_PTHREADPOOL_LIBRARY pthreadpool REQUIRED)
  whit_system_library(whit_pthreadpool ${WHIT_PTHREADPOOL_INCLUDE} ${WHIT_PTHREADPOOL_LIBRARY} pthreadpool)
  target_link_libraries(whit_pthreadpool INTERFACE Threads::Threads)
  set(WHIT_PTHREADPOOL whit_pthreadpool)
endif()

# If the embedding project already has a target XNNPACK, it is used; else the system's header and library.
if(WHIT_XNNPACK)
  if(TARGET XNNPACK)
    set(WHIT_XNNPACK_TARGET XNNPACK)
  else()
    find_path(WHIT_XNNPACK_INCLUDE xnnpack.h REQUIRED)
    find_library(WHIT_XNNPACK_LIBRARY XNNPACK REQUIRED)
    whit_system_library(whit_xnnpack_system ${WHIT_XNNPACK_INCLUDE} ${WHIT_XNNPACK_LIBRARY} XNNPACK)
    target_link_libraries(whit_xnnpack_system INTERFACE ${WHIT_PTHREADPOOL})
    set(WHIT_XNNPACK_TARGET whit_xnnpack_system)
  endif()
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
