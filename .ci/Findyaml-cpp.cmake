# Debian installs libyaml-cpp-dev for one architecture at a time. Its headers are the same on all of
# them, so the Arm build takes those of this machine, and links the Arm library itself.
file(GLOB library LIST_DIRECTORIES false /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/libyaml-cpp.so.*.*.*)
find_path(YAML_CPP_INCLUDE_DIR yaml-cpp/yaml.h)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(yaml-cpp REQUIRED_VARS library YAML_CPP_INCLUDE_DIR)
if(yaml-cpp_FOUND AND NOT TARGET yaml-cpp)
  add_library(yaml-cpp SHARED IMPORTED)
  set_target_properties(yaml-cpp PROPERTIES IMPORTED_LOCATION ${library}
                        INTERFACE_INCLUDE_DIRECTORIES ${YAML_CPP_INCLUDE_DIR})
endif()
