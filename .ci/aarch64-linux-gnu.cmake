# Builds for 64-bit Arm boards on another Debian machine, and runs the tests under QEMU's user-mode
# emulation. `./dev test --arm` installs what this needs; the preset is `arm`.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
find_program(FLYBALL_QEMU qemu-aarch64 REQUIRED)  # by its whole path: a test empties PATH
set(CMAKE_CROSSCOMPILING_EMULATOR ${FLYBALL_QEMU})
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})  # Findyaml-cpp.cmake
