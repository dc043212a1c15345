# Writes OUT, which defines kBuildId: what git calls the sources in SOURCE_DIR, or "unknown". Runs at every
# build, and leaves the file alone while the name is the same, so that nothing is compiled again.
set(BUILD_ID unknown)
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE_DIR} rev-parse --show-toplevel
                  OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  get_filename_component(source ${SOURCE_DIR} REALPATH)
  # Sources without a history that lie in somebody's repository are not that repository's.
  if(NOT failed AND top STREQUAL source)
    execute_process(COMMAND ${GIT} -C ${SOURCE_DIR} describe --always --tags --dirty --abbrev=12
                    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                    RESULT_VARIABLE failed)
    if(NOT failed)
      set(BUILD_ID ${described})
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT [[
#include "governor/cli/build_id.h"

namespace flyball::cli {
const char* const kBuildId = "@BUILD_ID@";
}
]] @ONLY)
