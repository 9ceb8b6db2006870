# whit_library(name SOURCES ... DEPENDS ...): a static library of one folder with the properties every whit target has.

# GCC 12 warns of overlapping copies in std::string's own operator+ (its bug 105651).
set(whit_gcc12 $<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>)

# And at -O1, or where the standard library comes from a precompiled header, of copies in it that are none.
set(whit_quiet $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow> $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds>)

# -ffp-contract=off: one rounding an operation, on every compiler and instruction set (docs/arithmetic.md, 1).
function(whit_target_properties target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wshadow -Wno-missing-field-initializers -ffp-contract=off -fno-fast-math
    $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions> $<${whit_gcc12}:-Wno-restrict>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  if(WHIT_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${WHIT_SANITIZE} -fno-omit-frame-pointer
                           -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${WHIT_SANITIZE})
    target_compile_definitions(${target} PRIVATE WHIT_SANITIZED=1)
  endif()
  if(WHIT_SANITIZE OR CMAKE_CROSSCOMPILING)
    target_compile_definitions(${target} PRIVATE WHIT_SLOW=1)  # sanitizers, emulators: tests do less
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF)
endfunction()

function(whit_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(whit_${name} STATIC ${ARG_SOURCES})
  add_library(whit::${name} ALIAS whit_${name})
  whit_target_properties(whit_${name})
  target_include_directories(whit_${name} PUBLIC $<BUILD_INTERFACE:${WHIT_INCLUDE_DIR}>
                             $<INSTALL_INTERFACE:include>)
  target_link_libraries(whit_${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
  set_target_properties(whit_${name} PROPERTIES EXPORT_NAME ${name})
endfunction()

# whit_unity(TARGET GROUPS): compiles the target's sources as so many, for parts where most of the time goes into the same large
# headers in every file. The unnamed namespaces of a group become one: what helps several files belongs into a header anyway. Which
# group a file is in depends on its name alone, so that a new file changes no other group.
# -DWHIT_UNITY=OFF compiles every file by itself, which an edited file is quicker with.
option(WHIT_UNITY "Compile sources of schema, runtime, tools and tests several at a time" ON)
function(whit_unity target groups)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${WHIT_UNITY} UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME)
    string(MD5 hash ${name})
    string(SUBSTRING ${hash} 0 6 hash)
    math(EXPR group "0x${hash} % ${groups}")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
  endforeach()
endfunction()
