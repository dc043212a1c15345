# All that `cmake --install` puts somewhere, from the record of what was not there before to the record
# of what is there now, by which the target `uninstall` takes away exactly that. What names a folder of
# the installation is written when that is known: `--prefix` and CPack choose it, not the configuration.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(service_dir ${PROJECT_SOURCE_DIR}/governor/service)
set(share_dir ${PROJECT_BINARY_DIR}/share)
set(python_modules ${PROJECT_SOURCE_DIR}/governor/gym/flyball_gym.py)
if(TARGET flyball_client)
  list(APPEND python_modules ${PROJECT_SOURCE_DIR}/governor/client/flyball.py)
endif()
install(CODE "
  set(FLYBALL_SERVICE_DIR \"${service_dir}\")
  set(FLYBALL_BUILD_DIR \"${PROJECT_BINARY_DIR}\")
  set(FLYBALL_CONFIGS \"${PROJECT_SOURCE_DIR}/configs\")
  set(FLYBALL_BINDIR \"${CMAKE_INSTALL_BINDIR}\")
  set(FLYBALL_LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
  set(FLYBALL_INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")
  set(FLYBALL_PYTHON \"${python_modules}\")
  set(FLYBALL_DESKTOP $<TARGET_EXISTS:flyball-desktop>)")
install(SCRIPT ${service_dir}/install/begin.cmake)

install(TARGETS flyball flyball-supervisor RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY configs DESTINATION share/flyball)
install(FILES README.md DESTINATION share/doc/flyball)
install(FILES LICENSE DESTINATION share/doc/flyball RENAME copyright)

# Man pages and completions are made by the program itself, from its own options.
set(documentation ${share_dir}/man/man1/flyball.1)
add_custom_command(OUTPUT ${documentation} DEPENDS flyball
                   COMMAND ${CMAKE_COMMAND} -E rm -rf ${share_dir}
                   COMMAND flyball documentation ${share_dir} VERBATIM)
add_custom_target(flyball_documentation ALL DEPENDS ${documentation})
install(DIRECTORY ${share_dir}/ DESTINATION share)

if(TARGET flyball-desktop)
  install(TARGETS flyball-desktop RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${service_dir}/flyball-desktop.conf DESTINATION share/dbus-1/system.d)
  install(FILES ${service_dir}/org.flyball.power-profiles.policy DESTINATION share/polkit-1/actions)
endif()

# Simulated boards for learners in other languages.
install(TARGETS flyball_gym LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES governor/gym/flyball_gym.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# For programs that tell the governor of their jobs.
if(TARGET flyball_client)
  set(client_dir ${PROJECT_SOURCE_DIR}/governor/client)
  set_target_properties(flyball_client PROPERTIES EXPORT_NAME client)
  set_target_properties(flyball_client_static PROPERTIES EXPORT_NAME client_static)
  install(TARGETS flyball_client flyball_client_static EXPORT flyball
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT flyball NAMESPACE flyball:: FILE flyballTargets.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/flyball)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/flyballConfigVersion.cmake
                                   COMPATIBILITY SameMinorVersion)
  install(FILES ${service_dir}/install/flyballConfig.cmake ${PROJECT_BINARY_DIR}/flyballConfigVersion.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/flyball)
  configure_file(${service_dir}/install/flyball.pc.in ${PROJECT_BINARY_DIR}/flyball.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/flyball.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  install(FILES ${client_dir}/flyball.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(FILES ${client_dir}/flyball.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()

install(SCRIPT ${service_dir}/install/end.cmake)
add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DFLYBALL_BUILD_DIR=${PROJECT_BINARY_DIR}
                                    -P ${service_dir}/install/uninstall.cmake VERBATIM)

# `cpack` in the build folder makes a package for Debian.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The Flyball authors <flyball@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "runtime governor that learns, for neural-network inference")
set(CPACK_PACKAGE_DESCRIPTION "Keeps neural-network inference inside its time, energy and accuracy requirements by turning
clocks, task mapping and quality together: a service that governs the clocks of a Linux
machine and gives everything back, and a library by which programs tell it of their jobs.")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS librsvg2-2)  # figures as PNG
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${service_dir}/deb/postinst ${service_dir}/deb/prerm
    ${service_dir}/deb/postrm ${service_dir}/deb/conffiles)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
  # dpkg-shlibdeps looks for this machine's libraries unless it is told.
  set(CPACK_PROJECT_CONFIG_FILE ${service_dir}/deb/arm64.cmake)
endif()
include(CPack)
