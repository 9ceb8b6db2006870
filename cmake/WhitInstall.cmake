# cmake --install: libraries, public headers, the whit command, and find_package(whit) -> target whit::whit.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(whit_install_targets whit_platform whit_schema whit_kernels whit_runtime)
foreach(target whit_pthreadpool whit_xnnpack whit_sodium)  # where they are found on the system, and not a parent's
  if(TARGET ${target})
    list(APPEND whit_install_targets ${target})
  endif()
endforeach()
install(TARGETS ${whit_install_targets} EXPORT whitTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT whitTargets NAMESPACE whit:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/whit)
install(DIRECTORY ${WHIT_INCLUDE_DIR}/whit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET whit_command)
  install(TARGETS whit_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(cmake/whitConfig.cmake.in ${PROJECT_BINARY_DIR}/whitConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/whit)
# 0.x: a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/whitConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/whitConfig.cmake ${PROJECT_BINARY_DIR}/whitConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/whit)
