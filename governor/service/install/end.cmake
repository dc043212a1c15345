# After everything is installed. A tree for a package (DESTDIR) is removed as a whole by whoever made it.
cmake_policy(VERSION 3.25)
if("$ENV{DESTDIR}" STREQUAL "")
  set(record ${FLYBALL_BUILD_DIR}/installed.cmake)
  set(files ${CMAKE_INSTALL_MANIFEST_FILES})
  set(folders ${FLYBALL_NEW_FOLDERS})
  # Installed again: what was there before the first time was there before this.
  if(EXISTS ${record})
    include(${record})
    list(APPEND files ${FLYBALL_INSTALLED_FILES})
    list(APPEND folders ${FLYBALL_INSTALLED_FOLDERS})
    list(REMOVE_DUPLICATES files)
    list(REMOVE_DUPLICATES folders)
  endif()
  file(WRITE ${record} "set(FLYBALL_INSTALLED_FILES [==[${files}]==])\nset(FLYBALL_INSTALLED_FOLDERS [==[${folders}]==])\n"
       "set(FLYBALL_INSTALLED_CONFIG_SHA256 ${FLYBALL_CONFIG_SHA256})\n"
       "set(FLYBALL_INSTALLED_PROGRAM [==[${CMAKE_INSTALL_PREFIX}/${FLYBALL_BINDIR}/flyball]==])\n")
endif()
