# find_package(flyball): the targets flyball::client and flyball::client_static.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/flyballTargets.cmake)
