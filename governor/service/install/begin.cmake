# Before anything is installed: which folders are not there yet, and the files that name folders.
cmake_policy(VERSION 3.25)
if(CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?/?$")
  set(FLYBALL_CONFIG_DIR /etc/flyball)  # these two share the machine's
else()
  set(FLYBALL_CONFIG_DIR ${CMAKE_INSTALL_PREFIX}/etc/flyball)
endif()

set(prefix ${CMAKE_INSTALL_PREFIX})
# Where the Python of this machine looks below the prefix: Debian's for itself in lib/python3/dist-packages
# below /usr, in lib/python3.11/dist-packages below /usr/local. Of any other prefix it knows nothing.
set(python_folder)
foreach(python /usr/bin/python3 python3)
  if(NOT python_folder)
    execute_process(COMMAND ${python} -c "import os, site, sys
for place in site.getsitepackages():
    if os.path.normpath(os.path.join(place, '../../..')) == os.path.normpath(sys.argv[1]):
        print(place)
        break" ${prefix} OUTPUT_VARIABLE python_folder OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE ignored ERROR_QUIET)
  endif()
endforeach()
if(NOT python_folder)
  set(python_folder ${prefix}/lib/python3/dist-packages)
endif()
set(folders ${FLYBALL_CONFIG_DIR})
foreach(folder ${FLYBALL_BINDIR} ${FLYBALL_INCLUDEDIR} ${FLYBALL_LIBDIR}/pkgconfig ${FLYBALL_LIBDIR}/cmake/flyball
               lib/systemd/system lib/sysusers.d share/doc/flyball
               share/man/man1 share/bash-completion/completions share/zsh/site-functions
               share/fish/vendor_completions.d share/dbus-1/system.d share/polkit-1/actions)
  list(APPEND folders ${prefix}/${folder})
endforeach()
list(APPEND folders ${python_folder})
file(GLOB_RECURSE configs LIST_DIRECTORIES true RELATIVE ${FLYBALL_CONFIGS} ${FLYBALL_CONFIGS}/*)
foreach(entry . ${configs})
  if(IS_DIRECTORY ${FLYBALL_CONFIGS}/${entry})
    list(APPEND folders ${prefix}/share/flyball/configs/${entry})
  endif()
endforeach()
set(FLYBALL_NEW_FOLDERS)
foreach(folder ${folders})
  cmake_path(NORMAL_PATH folder)
  string(REGEX REPLACE "/$" "" folder ${folder})
  while(NOT EXISTS ${folder} AND NOT folder IN_LIST FLYBALL_NEW_FOLDERS)
    list(APPEND FLYBALL_NEW_FOLDERS ${folder})
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
endforeach()

function(install_written name destination)
  set(FLYBALL_BIN ${CMAKE_INSTALL_PREFIX}/${FLYBALL_BINDIR})
  set(written ${FLYBALL_BUILD_DIR}/written/${name})
  configure_file(${FLYBALL_SERVICE_DIR}/${name}.in ${written} @ONLY)
  file(INSTALL DESTINATION ${destination} TYPE FILE FILES ${written})
  set(CMAKE_INSTALL_MANIFEST_FILES ${CMAKE_INSTALL_MANIFEST_FILES} PARENT_SCOPE)
endfunction()

# Enabled with the governor: while nobody has the names of power profiles on the bus, a desktop that asks for
# them starts another daemon, which conflicts with the governor.
set(FLYBALL_ALSO)
if(FLYBALL_DESKTOP)
  set(FLYBALL_ALSO "Also=flyball-desktop.service")
endif()
# Not in lib/MULTIARCH: systemd looks in lib/ below /usr and /usr/local.
install_written(flyball.service ${prefix}/lib/systemd/system)
if(FLYBALL_DESKTOP)
  install_written(flyball-desktop.service ${prefix}/lib/systemd/system)
endif()
file(INSTALL DESTINATION ${prefix}/lib/sysusers.d TYPE FILE RENAME flyball.conf
     FILES ${FLYBALL_SERVICE_DIR}/sysusers.conf)

file(INSTALL DESTINATION ${python_folder} TYPE FILE FILES ${FLYBALL_PYTHON})

# What the user has set stays.
set(config ${FLYBALL_SERVICE_DIR}/flyball.yaml)
set(there $ENV{DESTDIR}${FLYBALL_CONFIG_DIR}/flyball.yaml)
set(differs FALSE)
file(SHA256 ${config} FLYBALL_CONFIG_SHA256)
if(EXISTS ${there})
  # What was installed before, when this build has installed it.
  set(FLYBALL_INSTALLED_CONFIG_SHA256 ${FLYBALL_CONFIG_SHA256})
  include(${FLYBALL_BUILD_DIR}/installed.cmake OPTIONAL)
  file(SHA256 ${there} now)
  if(NOT now STREQUAL FLYBALL_INSTALLED_CONFIG_SHA256 AND NOT now STREQUAL FLYBALL_CONFIG_SHA256)
    set(differs TRUE)
    set(FLYBALL_CONFIG_SHA256 ${FLYBALL_INSTALLED_CONFIG_SHA256})
  endif()
endif()
if(differs)
  message(STATUS "Kept: ${there}, which was changed since it was installed")
else()
  file(INSTALL DESTINATION ${FLYBALL_CONFIG_DIR} TYPE FILE FILES ${config})
endif()
