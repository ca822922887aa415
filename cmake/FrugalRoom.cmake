# One call declares a room of the library (lib/NAME), a test binary (tests/NAME) or the tools.
# Sources are globbed so that adding a file touches no build script.

add_library(frugal_flags INTERFACE)
if(NOT FRUGAL_BATCH)  # in a batch, what one source calls a variable may be a local name of another
  set(shadow -Wshadow)
endif()
target_compile_options(frugal_flags INTERFACE -Wall -Wextra ${shadow} -Wnon-virtual-dtor -Woverloaded-virtual)
target_link_options(frugal_flags INTERFACE -Wl,--as-needed)
if(FRUGAL_WERROR)
  target_compile_options(frugal_flags INTERFACE -Werror)
endif()
if(FRUGAL_SANITIZE)
  target_compile_options(frugal_flags INTERFACE -fsanitize=${FRUGAL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(frugal_flags INTERFACE -fsanitize=${FRUGAL_SANITIZE})
endif()

# frugal_target(NAME OUT): the CMake target of the room NAME: frugal_model_nn for model/nn.
function(frugal_target name out)
  string(REPLACE "/" "_" flat ${name})
  set(${out} frugal_${flat} PARENT_SCOPE)
endfunction()

# frugal_link(TARGET KIND DEPS...): links rooms by their names and libraries by their targets.
function(frugal_link target kind)
  foreach(dep ${ARGN})
    frugal_target(${dep} room)
    if(TARGET ${room})
      target_link_libraries(${target} ${kind} ${room})
    else()
      target_link_libraries(${target} ${kind} ${dep})
    endif()
  endforeach()
endfunction()

# frugal_room(NAME [COLD] [APART] [FOLDERS folder...] [DEPS room-or-target...]): the static library of the room lib/NAME, with the
# sources of its FOLDERS. COLD: it does not compute much, and is compiled without optimisation in `dev`, in half the time. APART: its
# sources use the same local names (one source for each instruction set, architecture or format), so FRUGAL_BATCH leaves them alone.
function(frugal_room name)
  cmake_parse_arguments(ROOM "COLD;APART" "" "FOLDERS;DEPS" ${ARGN})
  set(patterns ${CMAKE_SOURCE_DIR}/lib/${name}/*.cpp)
  foreach(folder ${ROOM_FOLDERS})
    list(APPEND patterns ${CMAKE_SOURCE_DIR}/lib/${name}/${folder}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  frugal_target(${name} target)
  add_library(${target} STATIC ${sources})
  target_link_libraries(${target} PRIVATE frugal_flags)
  if(ROOM_COLD)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-O0>)
  endif()
  if(FRUGAL_BATCH AND NOT ROOM_APART)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${FRUGAL_BATCH})
  endif()
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/lib)
  frugal_link(${target} PUBLIC ${ROOM_DEPS})
endfunction()

# frugal_plugin(NAME [STAYS] [GENERATED source...] LINKS library...): build/…/plugins/frugal_NAME.so from the sources of this folder.
# STAYS: what it links keeps threads or exit handlers, so that it stays mapped until the process ends.
function(frugal_plugin name)
  cmake_parse_arguments(P "STAYS" "" "GENERATED;LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(frugal_${name} MODULE ${sources} ${P_GENERATED})
  target_include_directories(frugal_${name} PRIVATE ${CMAKE_SOURCE_DIR}/lib)
  target_link_libraries(frugal_${name} PRIVATE frugal_flags ${P_LINKS})
  if(P_STAYS)
    target_link_options(frugal_${name} PRIVATE -Wl,-z,nodelete)
  endif()
  set_target_properties(frugal_${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
endfunction()

# frugal_tests(NAME [BY_FILE] DEPS rooms...): one doctest binary, test_model_nn for tests/model/nn/*_test.cpp, run by ctest as model.nn, or
# where it takes long as model.nn.FILE for each source, side by side. TESTS_OF_model_nn is then the list of its tests.
function(frugal_tests name)
  cmake_parse_arguments(T "BY_FILE" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*_test.cpp)
  string(REPLACE "/" "_" flat ${name})
  string(REPLACE "/" "." dotted ${name})
  set(target test_${flat})
  add_executable(${target} ${sources} $<TARGET_OBJECTS:frugal_test_main>)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/lib ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE FRUGAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE frugal_flags doctest::doctest)
  # Optimising tests, which spend their time in the library, was a third of a build.
  target_compile_options(${target} PRIVATE -O0)
  frugal_link(${target} PRIVATE ${T_DEPS})
  if(NOT T_BY_FILE)
    add_test(NAME ${dotted} COMMAND ${target})
    set(TESTS_OF_${flat} ${dotted} PARENT_SCOPE)
    return()
  endif()
  set(tests)
  foreach(source ${sources})
    get_filename_component(file ${source} NAME_WE)
    string(REGEX REPLACE "_test$" "" part ${file})
    add_test(NAME ${dotted}.${part} COMMAND ${target} --source-file=*/${file}.cpp)
    list(APPEND tests ${dotted}.${part})
  endforeach()
  set(TESTS_OF_${flat} ${tests} PARENT_SCOPE)
endfunction()
