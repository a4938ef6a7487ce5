# Functions that every folder uses, so that a target is declared in one way only.
#
#   hp_library(NAME SOURCES a.cc ... [HEADERS a.h ...] [PUBLIC t ...] [PRIVATE t ...])
#     makes the static library hp_NAME with the alias holdpoint::NAME.
#   hp_binary(NAME SOURCES main.cc ... PRIVATE t ...)
#     makes the executable NAME in <build>/bin; the target "programs" builds all of these and nothing else.
#   hp_link_in(NAME)
#     links Abseil and Protobuf into it.
#   hp_test(NAME SOURCES a_test.cc ... PRIVATE t ... [ROOT] [SLOW] [ENV K=V ...])
#     makes a GoogleTest executable and registers it with ctest under its own name.
#     ROOT: needs the real kernel and root (label "root", runs alone). SLOW: only with scripts/test --all.

include_guard(GLOBAL)

find_program(HP_CCACHE ccache)
if(HP_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${HP_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HP_CCACHE})
endif()

set(HP_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 reports these inside std::string and absl at -O1 and above; they are false there (gcc PR 105651, 105329).
  list(APPEND HP_WARNINGS -Wno-restrict -Wno-error=maybe-uninitialized -Wno-error=stringop-overread)
endif()

function(hp_common_options target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${HP_WARNINGS}>)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()

function(hp_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  add_library(hp_${name} STATIC ${ARG_SOURCES} ${ARG_HEADERS})
  add_library(holdpoint::${name} ALIAS hp_${name})
  hp_common_options(hp_${name})
  target_link_libraries(hp_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

add_custom_target(programs)

function(hp_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PRIVATE" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  hp_common_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_PRIVATE})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  add_dependencies(programs ${name})
  install(TARGETS ${name})
endfunction()

# For a program that is started very often: the shared libraries of Abseil and Protobuf are some thirty, and to look up their
# symbols is most of what its start costs. Where there are no archives of them it is linked as any other.
function(hp_link_in name)
  set_target_properties(${name} PROPERTIES RULE_LAUNCH_LINK ${PROJECT_SOURCE_DIR}/cmake/link-in.sh)
endfunction()

function(hp_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(ARG "ROOT;SLOW;NO_TSAN" "TIMEOUT" "SOURCES;PRIVATE;ENV" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  hp_common_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_PRIVATE} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set(labels "")
  if(ARG_ROOT)
    list(APPEND labels root)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
  if(ARG_SLOW)
    list(APPEND labels slow)
  endif()
  # A library of the system that is not built for ThreadSanitizer breaks under it: protobuf's map reflection,
  # librdkafka's C11 threads, PAM modules.
  if(ARG_NO_TSAN)
    list(APPEND labels no-tsan)
  endif()
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${ARG_TIMEOUT} LABELS "${labels}"
    ENVIRONMENT "HP_SOURCE_DIR=${PROJECT_SOURCE_DIR};HP_BUILD_DIR=${PROJECT_BINARY_DIR};${ARG_ENV}")
endfunction()
