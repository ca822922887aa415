# Run at each build (cmake -P): writes OUT with version and commit, and touches it only if they changed.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define FRUGAL_VERSION \"${VERSION}\"\n#define FRUGAL_COMMIT \"${commit}\"\n")
